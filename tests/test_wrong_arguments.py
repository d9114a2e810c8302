"""A walk of wrong arguments over everything public: whatever is given, the error is one of byhand's, and says what it was."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import byhand
from byhand.errors import ByhandError, DataError, ParseError, nearest
from byhand.expr.define import undefine

ARRAYS = {"X": np.ones((4, 3)), "w": np.ones(3), "y": np.ones(4)}
F = byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"})
D = byhand.derive(F, "w")
NET = byhand.MLP("4-3-2")
SYMBOLIC = byhand.MLP("D-3")


class Odd:
    """Somebody's class, which is no array."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no array")


# what is wrong almost everywhere; a function may take some of them, and then does
WRONG = [
    None, 0, -1, 1.5, 2**70, float("nan"), True, "", "x", "lambda", "None", "ééé", b"x", "a\0b", [], [1], [[1, 2], [3]], (),
    {}, {"a": 1}, np.ones(3), np.array(None), np.zeros((2, 2), bool), Odd(), object(), len, ..., 1j, range(3),
    np.float16(1), np.ma.masked,
]  # fmt: skip
HASHABLE = [v for v in WRONG if type(v).__hash__ and v is not np.ma.masked]


def torch():
    """PyTorch, without which from_torch says so."""
    import importlib.util

    return importlib.util.find_spec("torch") is not None or byhand.from_torch(None, {})


def defined(*arguments):
    """`byhand.define`, taken back."""
    undefine(byhand.define(*arguments).name)


CALLS = {
    "define, name": lambda v: defined(v, "z + 1"),
    "define, formula": lambda v: defined("walked", v),
    "define, derivative": lambda v: defined("walked", "z + 1", v),
    "parse, text": lambda v: byhand.parse(v, {"x": "n"}),
    "parse, shapes": lambda v: byhand.parse("sum(x)", v),
    "parse, a shape": lambda v: byhand.parse("sum(x)", {"x": v}),
    "parse, a dimension": lambda v: byhand.parse("sum(x)", {"x": [v]}),
    "parse, assume": lambda v: byhand.parse("sum(x)", {"x": "n"}, v),
    "parse, a property": lambda v: byhand.parse("sum(x)", {"x": "n"}, {"x": v}),
    "derive, f": lambda v: byhand.derive(v),
    "derive, wrt": lambda v: byhand.derive(F, v),
    "derive, a name": lambda v: byhand.derive(F, [v]),
    "text, notation": lambda v: D.text(v),
    "text, level": lambda v: D.text(level=v),
    "text, layout": lambda v: D.text(layout=v),
    "code, target": lambda v: D.code(v),
    "code, relu_at_zero": lambda v: D.code(relu_at_zero=v),
    "code, chunk": lambda v: byhand.derive(NET).code(chunk=v),
    "code, sizes": lambda v: D.code("c", sizes=v),
    "code, a size": lambda v: D.code("c", sizes={"m": v}),
    "code, dtype": lambda v: D.code("c", dtype=v),
    "function, target": lambda v: D.function(v),
    "check, derivation": lambda v: byhand.check(v),
    "check, seeds": lambda v: byhand.check(D, v, oracles="complex step"),
    "check, a seed": lambda v: byhand.check(D, [v], oracles="complex step"),
    "check, oracles": lambda v: byhand.check(D, 1, oracles=v),
    "evaluate, f": lambda v: byhand.evaluate(v),
    "trace, function": lambda v: byhand.trace(v, {"x": "n"}),
    "trace, shapes": lambda v: byhand.trace(lambda x: (x * x).sum(), v),
    "trace, result": lambda v: byhand.trace(lambda x: v, {"x": "n"}),
    "from_jax, function": lambda v: byhand.from_jax(v, {"x": "n"}),
    "from_jax, shapes": lambda v: byhand.from_jax(lambda x: (x * x).sum(), v),
    "from_jax, result": lambda v: byhand.from_jax(lambda x: v, {"x": "n"}),
    "from_torch, module": lambda v: torch() and byhand.from_torch(v, {"x": "n"}),
    "from_torch, shapes": lambda v: torch() and byhand.from_torch(lambda x: (x * x).sum(), v),
    "from_torch, loss": lambda v: torch() and byhand.from_torch(lambda x: x * x, {"x": "n"}, loss=v),
    "trace, index": lambda v: byhand.trace(lambda x: x[v].sum(), {"x": "n"}),
    "trace, axis": lambda v: byhand.trace(lambda x: x.sum(axis=v).sum(), {"x": "n m"}),
    "MLP, sizes": lambda v: byhand.MLP(v),
    "MLP, a size": lambda v: byhand.MLP([3, v]),
    "MLP, activation": lambda v: byhand.MLP("4-3-2", activation=v),
    "MLP, activations": lambda v: byhand.MLP("4-3-2", activation=[v]),
    "MLP, loss": lambda v: byhand.MLP("4-3-2", loss=v),
    "MLP, l2": lambda v: byhand.MLP("4-3-2", l2=v),
    "MLP, bias": lambda v: byhand.MLP("4-3-2", bias=v),
    "MLP, targets": lambda v: byhand.MLP("4-3-2", targets=v),
    "MLP, output_activation": lambda v: byhand.MLP("4-3-2", output_activation=v),
    "MLP, batch": lambda v: byhand.MLP("4-3-2", batch=v),
    "MLP, seed": lambda v: byhand.MLP("4-3-2", seed=v),
    "init, seed": lambda v: NET.init(v),
    "init, dtype": lambda v: NET.init(0, v),
    "init, method": lambda v: NET.init(0, method=v),
    "init, std": lambda v: NET.init(0, method="normal", std=v),
    "init, sizes": lambda v: SYMBOLIC.init(sizes=v),
    "init, a size": lambda v: SYMBOLIC.init(sizes={"D": v}),
    "jacobian, wrt": lambda v: byhand.jacobian(F, v),
    "hessian, wrt": lambda v: byhand.hessian(F, v),
    "hvp, wrt": lambda v: byhand.hvp(F, v),
    "per_sample": lambda v: byhand.per_sample(v),
    "check_gradient, loss": lambda v: byhand.check_gradient(v, {"w": np.ones(3)}, ARRAYS),
    "check_gradient, gradient": lambda v: byhand.check_gradient(F, v, ARRAYS),
    "check_gradient, an array": lambda v: byhand.check_gradient(F, {"w": v}, ARRAYS),
    "check_gradient, values": lambda v: byhand.check_gradient(F, {"w": np.ones(3)}, v),
    "check_gradient, a value": lambda v: byhand.check_gradient(F, {"w": np.ones(3)}, {**ARRAYS, "X": v}),
    "audit": lambda v: byhand.audit(v),
    "load": lambda v: byhand.load(v),
    "flow": lambda v: byhand.flow(v, ARRAYS["X"], ARRAYS["y"]),
}


def allowed(call, *arguments):
    """Call it: it works, or one of byhand's errors says why not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(*arguments)
        except ByhandError as error:
            assert str(error).strip() and len(str(error)) < 2000


@pytest.mark.parametrize("call", CALLS)
def test_wrong_arguments(call):
    for value in WRONG:
        allowed(CALLS[call], value)


@pytest.mark.parametrize("value", HASHABLE, ids=lambda v: type(v).__name__)
def test_wrong_names(value):
    allowed(byhand.parse, "sum(x)", {"x": "n", value: "n"})
    allowed(byhand.parse, "sum(x)", {"x": "n"}, {value: "positive"})
    allowed(lambda: D.code("c", sizes={value: 3}))


# ---- arrays


class Sub(np.ndarray):
    pass


def odd_arrays(shape):
    one = np.ones(shape)
    return {
        "complex": one * 1j, "objects": one.astype(object), "nothing": np.full(shape, None), "truth": one > 0,
        "large integers": np.full(shape, 2**62), "unsigned": np.full(shape, 2**64 - 1, np.uint64), "subclass": one.view(Sub),
        "masked": np.ma.masked_array(one, mask=one > 0), "unmasked": np.ma.masked_array(one), "ragged": [[1.0], [1.0, 2.0]],
        "nan": one * np.nan, "inf": one * np.inf, "text": "abc", "texts": np.full(shape, "a"), "None": None,
        "dict": {"a": 1}, "half": one.astype(np.float16), "long double": one.astype(np.longdouble),
        "long complex": one.astype(np.clongdouble), "dates": np.full(shape, np.datetime64("2020-01-01")),
        "records": np.zeros(shape, [("a", float)]), "empty": np.zeros((0,) * len(shape)), "axes": np.ones((2, 2, 2)),
        "zeros": one * 0, "other byte order": one.astype(">f8"), "list": one.tolist(), "class": Odd(),
        "huge integers": np.full(shape, 2**70, object).tolist(),
    }  # fmt: skip


EXPRESSIONS = {
    "sum((X @ w - y)**2)": ({"X": "m n", "w": "n", "y": "m"}, {}),
    "sum(erf(x)) + sum(gelu(x))": ({"x": "n"}, {}),
    "sum(inv(A) * A) + logdet(A)": ({"A": "n n"}, {}),
    "sum(solve(A, b)) + norm(b)": ({"A": "n n", "b": "n"}, {}),
    "mean(cross_entropy(X @ W, t))": ({"X": "m n", "W": "n k", "t": "m"}, {"t": "labels"}),
    "s*sum(where(x > s, x, 0))": ({"x": "n", "s": ""}, {}),
}
SIZES = {"m": 5, "n": 3, "k": 2}


@pytest.mark.parametrize("target", ["interpreter", "check_gradient", "numpy", "jax", "c", "torch"])
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_odd_arrays(text, target):
    if target == "torch":
        from tools import needed

        needed("torch")
    shapes, assume = EXPRESSIONS[text]
    f = byhand.parse(text, shapes, assume)
    d = byhand.derive(f)
    gradients = {n: np.ones(tuple(SIZES[str(s)] for s in f.symbols[n].shape)) for n in d.gradients}
    if target == "interpreter":
        call = lambda **a: byhand.evaluate(f, check=True, **a)  # noqa: E731
    elif target == "check_gradient":
        call = lambda **a: byhand.check_gradient(f, gradients, a)  # noqa: E731
    elif target == "c" and ("inv" in text or "solve" in text):
        return  # the C target has no linear algebra, and says so elsewhere
    else:
        call = d.function(target)
    good = {}
    for n, s in f.symbols.items():
        shape = tuple(SIZES[str(d)] for d in s.shape)
        good[n] = np.zeros(shape, int) if "labels" in s.assumptions else np.random.default_rng(0).normal(size=shape)
    for n, value in good.items():
        for array in odd_arrays(value.shape).values():
            allowed(lambda n=n, array=array: call(**{**good, n: array}))


@pytest.mark.parametrize("target", ["numpy", "jax", "c"])
def test_long_double_is_computed_in_double(target):
    d = byhand.derive(byhand.parse("sum(erf(x))", {"x": "n"}))
    value, gradients = d.function(target)(x=np.ones(2, np.longdouble))
    assert np.asarray(value).dtype == np.float64 and np.asarray(gradients["x"]).dtype == np.float64
    assert float(value) == pytest.approx(2 * 0.8427007929497149, rel=1e-14)


def test_masked_entries_are_refused_and_not_taken_for_numbers():
    masked = np.ma.masked_array(np.ones(3), [False, True, False])
    for call in (byhand.evaluate, lambda f, **a: byhand.check_gradient(f, {"w": np.ones(3)}, a)):
        with pytest.raises(DataError, match="w: 1 of 3 entries are masked"):
            call(F, **{**ARRAYS, "w": masked})


@pytest.mark.parametrize("text", ["sum(inv(A) * B)", "sum(solve(A, B))", "logdet(A) + sum(inv(A + A.T) * B)"])
def test_a_singular_matrix_is_named(text):
    d = byhand.derive(byhand.parse(text, {"A": "n n", "B": "n n"}), "A")
    for A in (np.zeros((3, 3)), np.ones((3, 3))):
        with pytest.raises(DataError, match=r"singular") as error:
            d.function()(A=A, B=np.ones((3, 3)))
        assert "inv" in str(error.value)
        if "A + A.T" not in text:
            assert "A" in str(error.value).split("singular")[1]


@pytest.mark.parametrize("word", ["None", "lambda", "if", "True", "class", "not", "for"])
def test_words_of_python_are_no_names(word):
    with pytest.raises(ParseError, match=f"{word} is a word of Python"):
        byhand.parse("sum(x)", {"x": "n", word: "n"})
    with pytest.raises(ParseError, match=f"dimension {word} is a word of Python"):
        byhand.parse("sum(x)", {"x": word})
    with pytest.raises(ParseError):
        byhand.MLP("4-3-2", l2=word)


# ---- sizes


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("sum(x**2)", {"x": "99999999999"}),
        ("mean((X @ w - y)**2)", {"X": "1000000 50000", "w": "50000", "y": "1000000"}),
        ("sum(tanh(X))/1000000", {"X": "1000000 1000000"}),
        ("mean(cross_entropy(X @ W, t))", {"X": "m 30000000", "W": "30000000 k", "t": "m"}),
    ],
)
def test_large_literal_sizes_are_checked_at_small_ones(text, shapes):
    d = byhand.derive(byhand.parse(text, shapes))
    report = byhand.check(d, oracles="quick")
    assert report.ok and any("checked at small sizes" in note for note in report.notes), report.text()
    assert any(size in d.text(level="result") for size in ("99999999999", "50000", "1000000", "30000000"))


def test_sizes_of_a_common_network_stay_as_they_are():
    assert not byhand.check(byhand.derive(byhand.MLP("784-30-10")), 1, oracles="complex step").notes


def test_a_slice_of_more_than_memory_is_refused_with_its_size():
    d = byhand.derive(byhand.parse("sum(x[0:50000000]**2)", {"x": "99999999999"}))
    with pytest.raises(DataError, match=r"would take 745 GiB in the check") as error:
        byhand.check(d)
    assert "99999999999" in str(error.value) and "a name" in str(error.value)


@pytest.mark.parametrize("sizes", [(10**6, 10**7), (10**5, 10**8)])
def test_a_network_beyond_memory_says_its_size(sizes):
    with pytest.raises(DataError, match=rf"W2 of shape \({sizes[0]}, {sizes[1]}\) does not fit into memory"):
        byhand.MLPClassifier(sizes).fit(np.ones((6, 2)), [0, 1, 0, 1, 0, 1])


def test_memory_that_runs_out_between_is_an_error_of_byhand(monkeypatch):
    function = byhand.derive(byhand.parse("sum(x**2)", {"x": "n"})).function()

    def full(*values):
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr(function, "raw", full)
    with pytest.raises(DataError, match="does not fit into memory"):
        function(x=np.ones(3))


# ---- estimators


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("epochs", "here it is max_epochs"), ("max_iter", "here it is max_epochs"), ("alpha", "here it is l2"),
        ("lr", "here it is learning_rate"), ("n_iter_no_change", "here it is patience"), ("activaton", "did you mean `activation`"),
        ("seed", "here it is random_state"), ("nothing_like_it", "has no parameter nothing_like_it$"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [byhand.MLPClassifier, byhand.MLPRegressor])
def test_arguments_by_other_names(kind, given, meant):
    with pytest.raises(ByhandError) as error:
        kind(**{given: 5})
    assert isinstance(error.value, TypeError)
    assert re.search(meant, error.value.message) and "max_epochs" in str(error.value)
    kind(max_epochs=5)


# ---- words


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("tahn", ["tan", "tanh", "log"], "tanh"), ("nosuch", ["cosh", "h", "softmax"], ""), ("max", ["maximum", "exp"], "maximum"),
        ("clip_norm", ["clip_norm"], ""), ("rleu", ["relu", "selu", "elu"], "relu"), ("sun", ["sin", "sum"], "sum"),
        ("W11", ["W1", "W2"], "W1"), ("zzz", ["a", "b"], ""), ("", ["a"], ""), (3, ["a"], ""), ("colunm", ["column", "colour"], "column"),
    ],
)  # fmt: skip
def test_the_word_that_was_meant(word, known, meant):
    assert nearest(word, known) == (f", did you mean `{meant}`?" if meant else "")


def test_the_walk_is_of_everything_public():
    """Each public function occurs in a call above, or in the tests of arrays."""
    source = Path(__file__).read_text("utf-8")
    public = {n for n in byhand.__all__ if callable(getattr(byhand, n)) and not isinstance(getattr(byhand, n), type)}
    missing = {n for n in public if f"byhand.{n}" not in source}
    assert missing <= {"gauss_newton_vp", "jvp", "vjp"}, missing
