"""How a gradient flows through a network: norms, saturation, dead units, attenuation, scale of the inputs, mistakes.

Source: Goodfellow, Bengio and Courville (2016), sections 6.2.2 (confident mistakes) and 8.2.5 (vanishing gradients).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from byhand.arguments import shown
from byhand.derive.derivation import derive
from byhand.errors import DataError
from byhand.expr.evaluate import bind, evaluate_nodes
from byhand.expr.nodes import Named
from byhand.expr.parse import parse
from byhand.nets.architecture import activation_definition
from byhand.nets.layers import Layer as NetLayer
from byhand.nets.mlp import MLP
from byhand.views import Shown, columns, paragraphs, row_html, table_html, view_html

Array = Any
FLAT = 0.01  # a slope below this share of the activation's greatest one counts as saturated
MANY = 0.5  # of the values of a layer saturated, or of its units dead: learning stalls
LARGE = 10.0  # root mean square of the inputs
FADED = 1e-4  # gradient norm of a layer as a share of the greatest
CONFIDENT = 0.9
_HEADS = ("layer", "units", "activation", "‖∂L/∂W‖", "‖W‖", "saturated", "dead", "attenuation ≤")
_RECTIFIERS = frozenset({"relu"})


@dataclass(frozen=True, slots=True)
class LayerFlow:
    """One layer, on all samples given.

    Attributes:
        name: of its weights, "W1".
        inputs, outputs: its units.
        activation: after it, "identity" for the last layer.
        gradient_norm, weight_norm: Frobenius norms of ∂L/∂W and W.
        saturated: share of activations whose slope is below 1 % of the activation's greatest.
        dead: share of relu units that are 0 on every sample; None for other activations.
        attenuation: bound on the factor from ‖∂L/∂Z‖ of a sample at the last layer to ∂L/∂Z here: the product of
            max |slope| times the 2-norm of W over the layers between.
    """

    name: str
    inputs: int
    outputs: int
    activation: str
    gradient_norm: float
    weight_norm: float
    saturated: float
    dead: float | None
    attenuation: float

    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        dead = "" if self.dead is None else f"{self.dead:.0%}"
        norms = f"{self.gradient_norm:.2e}", f"{self.weight_norm:.2e}"
        units = f"{self.inputs}-{self.outputs}"
        return self.name, units, self.activation, *norms, f"{self.saturated:.0%}", dead, f"{self.attenuation:.2e}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sample that is classified wrongly, and with confidence.

    Attributes:
        sample: its row, from 0.
        target, predicted: classes, as columns of the outputs.
        probability: of the class predicted.
        pull: ‖∂ℓ/∂z‖₁ = 2 (1 - p of the target), at most 2.
    """

    sample: int
    target: int
    predicted: int
    probability: float
    pull: float

    def __str__(self) -> str:
        sure = f"class {self.predicted} with probability {self.probability:.2f}, it is {self.target}"
        return f"sample {self.sample} is taken for {sure}"


@dataclass(frozen=True, slots=True, repr=False)
class Flow(Shown):
    """What `byhand.flow` found.

    Attributes:
        layers: first to last.
        loss: on these samples.
        samples: how many.
        input_scale: root mean square of the inputs as the first layer gets them.
        input_greatest: the greatest of them, without sign.
        mistakes: confident ones, the worst first; of classification only.
        residuals: P - Y (N, C) of classification, else None; P are probabilities.
        warnings: sentences, the likeliest cause of a stall first.
    """

    layers: tuple[LayerFlow, ...]
    loss: float
    samples: int
    input_scale: float
    input_greatest: float
    mistakes: tuple[Mistake, ...]
    residuals: Array | None
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the residuals are left out."""
        return {
            "loss": self.loss, "samples": self.samples, "input_scale": self.input_scale,
            "input_greatest": self.input_greatest, "warnings": list(self.warnings),
            "layers": [{k: getattr(x, k) for k in LayerFlow.__slots__} for x in self.layers],
            "mistakes": [{k: getattr(x, k) for k in Mistake.__slots__} for x in self.mistakes],
        }  # fmt: skip

    def text(self) -> str:
        """A table and the warnings."""
        table = columns(_HEADS, [x.cells() for x in self.layers])
        return "\n".join([*table, "", *self._said(), *(f"warning: {w}" for w in self.warnings)])

    def html(self) -> str:
        """The same as HTML."""
        table = table_html(_HEADS, [row_html(x.cells()) for x in self.layers])
        return view_html(table, paragraphs(self._said()), paragraphs(self.warnings, "warning"))

    def _said(self) -> list[str]:
        """What stands below the table."""
        told = f"loss {self.loss:.4g} on {self.samples} samples; inputs: root mean square {self.input_scale:.3g}"
        return [told, *(f"confident mistake: {m}" for m in self.mistakes[:3])]

    def plot(self, folder: str | Path) -> list[Path]:
        """Draw flow.png, and residuals.png for classification, into a folder; returns the files.

        Raises: ByhandError: matplotlib is not installed. DataError: the folder cannot be written to.
        """
        from byhand.report.drawing import save_figure
        from byhand.report.figures import flow_figure, residual_figure

        found = [save_figure(flow_figure(self), Path(folder) / "flow.png")]
        if self.residuals is not None:
            found.append(save_figure(residual_figure(self.residuals), Path(folder) / "residuals.png"))
        return found


@lru_cache(maxsize=64)
def slope_of(activation: str) -> tuple[Any, float]:
    """The derived slope of an elementwise activation, callable(Z (N, h)) -> (N, h), and the greatest |slope|."""
    f = parse(f"sum({activation_definition(activation).spelled({'z': 'Z'})})", shapes={"Z": "N h"})
    function = derive(f, "Z").function()

    def slope(Z: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(function(Z=Z)[1]["Z"], Z.shape)

    return slope, float(np.nanmax(np.abs(slope(np.linspace(-20, 20, 4001)[:, None]))))


def _local(activation: str, Z: Array, H: Array) -> tuple[Array, float, float]:
    """Slopes (N, h), the greatest that there can be, and a bound on the 2-norm of the layer's Jacobian, from its Z."""
    if activation == "identity":
        return np.ones_like(Z), 1.0, 1.0
    if activation == "softmax":  # its Jacobian diag(p) - pp' has a 2-norm of at most 2 max p(1 - p)
        slopes = H * (1 - H)
        return slopes, 0.25, float(2 * slopes.max(initial=0.0))
    slope, greatest = slope_of(activation)
    slopes = slope(Z)
    return slopes, greatest, float(np.abs(slopes).max(initial=0.0))


def flow(
    model: Any, X: Array, y: Array, parameters: Mapping[str, Array] | None = None, most_mistakes: int = 10
) -> Flow:
    """Measure the flow of the gradient through a network on some samples.

    Args:
        model: a fitted `MLPClassifier` or `MLPRegressor`, or an `MLP` with numeric sizes.
        X: (N, inputs), as they were for `fit`: the estimator standardises them itself.
        y: targets, as they were for `fit`; for an `MLP` labels (N,) or targets (N, outputs).
        parameters: of an `MLP`, by name; by default `model.init()`.
        most_mistakes: how many confident mistakes to keep.
    Raises: DataError: shapes that do not fit, no samples, values that are not finite. NotFittedError: a bare estimator.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (20, 64)).astype(float)
    >>> net = MLP("64-16-3", activation="sigmoid")
    >>> byhand_flow = flow(net, X, np.arange(20) % 3, net.init(method="normal", std=1.0))
    >>> byhand_flow.layers[0].saturated > 0.9
    True
    """
    if isinstance(model, MLP):
        net, values = model, dict(model.init() if parameters is None else parameters)
        data = {net.data: np.asarray(X, float), net.target: np.asarray(y)}
    else:
        net, values, data = _of_estimator(model, X, y)
    if not len(data[net.data]):
        raise DataError("the flow is measured on samples, and there are none")
    if not np.isfinite(data[net.data]).all():
        raise DataError("X has values that are not finite", "leave those samples out, or fill them in")
    if isinstance(net.l2, str):
        data[net.l2] = np.asarray(0.0)
    arrays = {n: np.asarray(v, np.float64) for n, v in values.items()} | data
    return _measured(net, arrays, most_mistakes)


def _of_estimator(model: Any, X: Array, y: Array) -> tuple[MLP, dict[str, Array], dict[str, Array]]:
    """The plain network, its parameters, and the data as it gets them."""
    from sklearn.utils.validation import check_is_fitted

    from byhand.train.programs import plain_net, program_of

    if not hasattr(model, "_program_key"):
        raise DataError(f"an MLPClassifier, an MLPRegressor or a network is needed, not {shown(model)}")
    check_is_fitted(model, "parameters_")
    X, y = model._validated(X, y, reset=False)
    net = plain_net(program_of(model._program_key(False, model._targets_kind())).net)
    targets = model._given(model._encode(y, first=False), np.float64)
    return net, dict(model.parameters_), {net.data: model.input_scaling_.apply(X, np.float64), net.target: targets}


@lru_cache(maxsize=32)
def _gradient_of(net: MLP) -> Any:
    return derive(net).function()


def _measured(net: MLP, arrays: dict[str, Array], most_mistakes: int) -> Flow:
    with np.errstate(all="ignore"):
        loss, gradients = _gradient_of(net)(**arrays)
        outputs = net.prediction
        bound, sizes = bind(outputs, {n: arrays[n] for n in outputs.symbols})
        held = evaluate_nodes([outputs.root], bound, sizes)
        by_name = {n.name: v for n, v in held.items() if isinstance(n, Named)}
        predicted = held[outputs.root]
        by_name.setdefault(net.output, predicted)  # the logits themselves, which then have no name
    layers, bound_here = [], 1.0
    above: NetLayer | None = None
    for layer in reversed(net.layers):
        W, Z = arrays[layer.weight], by_name[layer.linear]
        slopes, greatest, local = _local(layer.activation, Z, by_name[layer.output])
        if above is not None:
            bound_here *= local * float(np.linalg.norm(arrays[above.weight], 2))
        rectifies = layer.activation in _RECTIFIERS
        dead = float((Z <= 0).all(axis=0).mean()) if rectifies else None
        flat = np.abs(slopes) < FLAT * greatest
        layers.append(
            LayerFlow(
                layer.weight,
                W.shape[0],
                W.shape[1],
                layer.activation,
                float(np.linalg.norm(gradients[layer.weight])),
                float(np.linalg.norm(W)),
                0.0 if rectifies else float(flat.mean()),
                dead,
                float(bound_here),
            )
        )
        above = layer
    X = arrays[net.data]
    scale, top = float(np.sqrt(np.mean(X**2))), float(np.abs(X).max())
    residuals, mistakes = _mistakes(net, predicted, arrays[net.target], most_mistakes)
    ordered = tuple(reversed(layers))
    return Flow(ordered, float(loss), len(X), scale, top, mistakes, residuals, tuple(_warnings(ordered, scale, top)))


def _mistakes(net: MLP, P: Array, y: Array, most: int) -> tuple[Array | None, tuple[Mistake, ...]]:
    if not net.row.link.startswith("softmax"):
        return None, ()
    Y = np.eye(P.shape[1])[y] if y.ndim == 1 else np.asarray(y, float)
    target, predicted, rows = Y.argmax(axis=1), P.argmax(axis=1), np.arange(len(P))
    sure = P[rows, predicted]
    wrong = np.flatnonzero((predicted != target) & (sure >= CONFIDENT))
    pull = 2 * (1 - P[rows, target])
    worst = wrong[np.argsort(-pull[wrong], kind="stable")][:most]
    found = (Mistake(int(k), int(target[k]), int(predicted[k]), float(sure[k]), float(pull[k])) for k in worst)
    return P - Y, tuple(found)


def _warnings(layers: tuple[LayerFlow, ...], scale: float, top: float) -> list[str]:
    """Sentences for what stalls learning, causes before consequences."""
    found = []
    large = scale > LARGE
    mend = "standardise them (standardize=True in the estimators, which is their default)"
    still = [x.name for x in layers if x.weight_norm == 0 and x.gradient_norm == 0]
    if still and len(layers) > 1:
        are = f"the weights {', '.join(still)} are" if len(still) > 1 else f"the weights {still[0]} are"
        return [f"{are} all zero, and so is their gradient: they stay so. Random starting weights (init='glorot')."]
    for x in layers[:-1]:
        where = f"layer {x.name[1:]}"
        if x.saturated >= MANY:
            flat = f"{x.saturated:.0%} of the {x.activation} values in {where} are so far out that their slope is"
            if large and x is layers[0]:
                size = f"the inputs are large (up to {top:.3g}, root mean square {scale:.3g})"
                found.append(f"{flat} nearly zero, because {size}, and no gradient passes: {mend}.")
                return found
            found.append(f"{flat} nearly zero, and no gradient passes: smaller starting weights or learning rate.")
        if x.dead is not None and x.dead >= MANY:
            cause = f"; the inputs are large (up to {top:.3g}): {mend}" if large else ": a smaller learning rate"
            found.append(
                f"{x.dead:.0%} of the relu units in {where} are zero on every sample and can no longer learn{cause}."
            )
    if large and not found:
        found.append(
            f"the inputs are large (up to {top:.3g}, root mean square {scale:.3g}), and the first layer's gradient "
            f"grows with them: {mend}, or a smaller learning rate."
        )
    norms = [x.gradient_norm for x in layers]
    faded = [x for x in layers if x.gradient_norm < FADED * max(norms)]
    if faded and not found:
        x = faded[0]
        found.append(
            f"the gradient fades: that of {x.name} is {x.gradient_norm:.1e}, the greatest {max(norms):.1e} (bound on "
            f"the attenuation down to it: {x.attenuation:.1e}): fewer layers, relu, or larger starting weights."
        )
    if not all(isfinite(x.gradient_norm) and isfinite(x.weight_norm) for x in layers):
        found.insert(0, "a gradient or a weight is no finite number: training diverged; a smaller learning rate.")
    return found


__all__ = ["Flow", "LayerFlow", "Mistake", "flow"]
