"""The losses of PyTorch in nodes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from byhand.expr.arrays import mean, sum_, transpose_
from byhand.expr.contraction import contract
from byhand.expr.nodes import Expr
from byhand.expr.surface import divide, matmul, minus, multiply, negative, plus, power
from byhand.expr.vocabulary import VOCABULARY
from byhand.ingest import meaning
from byhand.ingest.builder import is_labels

if TYPE_CHECKING:
    from byhand.ingest.torch_rows import Call

HALF = Fraction(1, 2)
V = VOCABULARY


def reduced(c: Call, y: Expr) -> Expr:
    """Each sample's loss, their mean, or their sum."""
    way = c["reduction"]
    return y if way == 0 else sum_(y) if way == 2 else mean(y)


def _classes_last(x: Expr) -> Expr:
    """(N, C, space) as (N, space, C)."""
    return transpose_(x, (0, *range(2, x.ndim), 1)) if x.ndim > 2 else x


def _one_hot(c: Call, z: Expr) -> Expr | None:
    """The targets as one-hot rows; None where they are probabilities."""
    target = c["target"]
    if isinstance(target, Expr) and not is_labels(target) and target.ndim == z.ndim:
        return None
    return meaning.hot(c.builder, target, z.shape[-1])


def cross_entropy(c: Call) -> Expr:
    """With class weights and smoothed labels."""
    z = _classes_last(c.e("self"))
    smoothing, weight = float(c["label_smoothing"] or 0.0), c.maybe("weight")
    hot = _one_hot(c, z)
    y = _classes_last(c.e("target")) if hot is None else hot
    if smoothing:
        share = multiply(Fraction(str(smoothing)), power(meaning.lift(z.shape[-1]), -1))
        smooth = plus(multiply(1 - Fraction(str(smoothing)), y), share)
    else:
        smooth = y
    logp = V["log_softmax"](z, -1)
    if hot is not None and not smoothing and weight is None and (c["ignore_index"] is None or c["ignore_index"] < 0):
        return reduced(c, negative(sum_(multiply(y, logp), -1)))
    return _weighted(c, smooth, hot, logp, weight)


def nll(c: Call) -> Expr:
    """Of log-probabilities."""
    logp = _classes_last(c.e("self"))
    hot = _one_hot(c, logp)
    if hot is None:
        raise c.refuse("targets are integer labels")
    return _weighted(c, hot, hot, logp, c.maybe("weight"))


def _weighted(c: Call, y: Expr, hot: Expr | None, logp: Expr, weight: Expr | None) -> Expr:
    each = multiply(y, logp) if weight is None else multiply(multiply(y, weight), logp)
    loss = negative(sum_(each, -1))
    share = None if weight is None or hot is None else matmul(hot, weight)
    ignored = c["ignore_index"]
    if ignored is not None and ignored >= 0 and hot is not None:
        kept = minus(1, meaning.at(hot, ignored))
        loss = multiply(kept, loss)
        share = kept if share is None else multiply(kept, share)
    if share is not None and c["reduction"] in (None, 1):
        return divide(sum_(loss), sum_(share))
    if weight is not None and hot is None and c["reduction"] in (None, 1):
        return divide(sum_(loss), _count(loss))
    return reduced(c, loss)


def _count(x: Expr) -> Expr:
    return sum_(contract([], range(x.ndim), dims=dict(enumerate(x.shape))))


def mse(c: Call) -> Expr:
    """(x - y)²."""
    return reduced(c, power(minus(c.e("self"), c.e("target")), 2))


def l1(c: Call) -> Expr:
    """|x - y|."""
    return reduced(c, V["abs"](minus(c.e("self"), c.e("target"))))


def huber(c: Call) -> Expr:
    """Quadratic near zero, linear beyond delta; smooth_l1 is it divided by beta."""
    r = minus(c.e("self"), c.e("target"))
    smooth = c.name.startswith("smooth_l1")
    delta = float((c["beta"] if smooth else c["delta"]) or 0.0)
    if delta == 0:
        return reduced(c, V["abs"](r))
    if delta == 1:
        return reduced(c, V["huber"](r))
    scaled = V["huber"](multiply(1 / delta, r))
    return reduced(c, multiply(delta if smooth else delta**2, scaled))


def bce(c: Call) -> Expr:
    """Of probabilities."""
    p, y = c.e("self"), c.e("target")
    loss = negative(plus(multiply(y, V["log"](p)), multiply(minus(1, y), V["log"](minus(1, p)))))
    weight = c.maybe("weight")
    return reduced(c, loss if weight is None else multiply(weight, loss))


def bce_with_logits(c: Call) -> Expr:
    """softplus(z) - y z; a weight of the positive ones."""
    z, y, positive = c.e("self"), c.e("target"), c.maybe("pos_weight")
    if positive is None:
        loss = minus(V["softplus"](z), multiply(y, z))
    else:
        loss = plus(
            multiply(multiply(positive, y), V["softplus"](negative(z))), multiply(minus(1, y), V["softplus"](z))
        )
    weight = c.maybe("weight")
    return reduced(c, loss if weight is None else multiply(weight, loss))


def kl_div(c: Call) -> Expr:
    """Of log-probabilities from probabilities, or from their logarithms."""
    x, y = c.e("self"), c.e("target")
    if c["log_target"]:
        return reduced(c, multiply(V["exp"](y), minus(y, x)))
    return reduced(c, multiply(y, minus(V["log"](y), x)))


def soft_margin(c: Call) -> Expr:
    """log(1 + exp(-y x))."""
    return reduced(c, V["softplus"](negative(multiply(c.e("target"), c.e("self")))))


def margin_ranking(c: Call) -> Expr:
    """max(0, margin - y (a - b))."""
    gap = multiply(c.e("target"), minus(c.e("input1"), c.e("input2")))
    return reduced(c, V["relu"](minus(c.builder.expr(c["margin"] or 0.0), gap)))


def hinge_embedding(c: Call) -> Expr:
    """x where y is 1, max(0, margin - x) where it is -1."""
    x, y = c.e("self"), c.e("target")
    far = V["relu"](minus(c.builder.expr(c["margin"]), x))
    return reduced(c, V["where"](meaning.above(y, 0), x, far))


def _cosine(a: Expr, b: Expr, axis: Any, eps: float) -> Expr:
    """⟨a, b⟩ / (|a| |b|), the norms at least eps."""
    norms = [V["maximum"](power(sum_(power(v, 2), axis), HALF), eps) for v in (a, b)]
    return divide(sum_(multiply(a, b), axis), multiply(*norms))


def cosine_similarity(c: Call) -> Expr:
    """Along an axis."""
    axis = c["dim"] if c["dim"] is not None else 1
    return _cosine(c.e("x1"), c.e("x2"), axis, float(c["eps"] if c["eps"] is not None else 1e-8))


def cosine_embedding(c: Call) -> Expr:
    """1 - cos where y is 1, max(0, cos - margin) where it is -1."""
    a, b = c.e("input1"), c.e("input2")
    norms = [plus(sum_(power(v, 2), -1), 1e-12) for v in (a, b)]
    cosine = divide(sum_(multiply(a, b), -1), power(multiply(*norms), HALF))
    apart = V["relu"](minus(cosine, c.builder.expr(c["margin"] or 0.0)))
    return reduced(c, V["where"](meaning.above(c.e("target"), 0), minus(1, cosine), apart))


def triplet(c: Call) -> Expr:
    """max(0, |a - p| - |a - n| + margin)."""
    p, eps = float(c["p"] if c["p"] is not None else 2.0), float(c["eps"] if c["eps"] is not None else 1e-6)
    if p != 2:
        raise c.refuse(f"distances of order {p:g}")

    def distance(a: Expr, b: Expr) -> Expr:
        return power(sum_(power(plus(minus(a, b), eps), 2), -1), HALF)

    near, far = distance(c.e("anchor"), c.e("positive")), distance(c.e("anchor"), c.e("negative"))
    if c["swap"]:
        far = V["minimum"](far, distance(c.e("positive"), c.e("negative")))
    margin = c["margin"] if c["margin"] is not None else 1.0
    return reduced(c, V["relu"](plus(minus(near, far), c.builder.expr(margin))))


def poisson(c: Call) -> Expr:
    """exp(x) - y x, or x - y log(x + eps)."""
    x, y = c.e("input"), c.e("target")
    if c["full"]:
        raise c.refuse("Stirling's term")
    if c["log_input"]:
        return reduced(c, minus(V["exp"](x), multiply(y, x)))
    return reduced(c, minus(x, multiply(y, V["log"](plus(x, c.builder.number(c["eps"]))))))


def pairwise_distance(c: Call) -> Expr:
    """|a - b + eps| along the last axis."""
    if c["p"] not in (None, 2, 2.0):
        raise c.refuse(f"distances of order {c['p']:g}")
    r = plus(minus(c.e("x1"), c.e("x2")), c.builder.number(c["eps"] if c["eps"] is not None else 1e-6))
    return power(sum_(power(r, 2), -1, bool(c["keepdim"])), HALF)


def multi_margin(c: Call) -> Expr:
    """The mean over classes of max(0, margin - z_t + z_k), the right class left out."""
    z = c.e("self")
    if c["weight"] is not None or c["p"] not in (None, 1):
        raise c.refuse("weights of classes, or squares")
    hot = meaning.hot(c.builder, c["target"], z.shape[-1])
    own = sum_(multiply(hot, z), -1, True)
    margin = c.builder.expr(c["margin"] if c["margin"] is not None else 1)
    gaps = multiply(minus(1, hot), V["relu"](plus(minus(z, own), margin)))
    return reduced(c, mean(gaps, -1))


ROWS: dict[str, Callable[[Call], Any]] = {
    "cross_entropy_loss": cross_entropy, "nll_loss": nll, "nll_loss_nd": nll, "nll_loss2d": nll, "mse_loss": mse, "l1_loss": l1,
    "smooth_l1_loss": huber, "huber_loss": huber, "binary_cross_entropy": bce, "kl_div": kl_div, "soft_margin_loss": soft_margin,
    "binary_cross_entropy_with_logits": bce_with_logits, "margin_ranking_loss": margin_ranking, "poisson_nll_loss": poisson,
    "hinge_embedding_loss": hinge_embedding, "cosine_similarity": cosine_similarity, "cosine_embedding_loss": cosine_embedding,
    "triplet_margin_loss": triplet, "pairwise_distance": pairwise_distance, "multi_margin_loss": multi_margin,
}  # fmt: skip
