"""What has no meaning for symbolic arrays is refused, with what to write instead and the place in the function."""

import numpy as np
import pytest

import byhand
from byhand import ByhandError, ParseError, ShapeError


def branches(x):
    if x > 0:
        return x
    return -x


def changes(x):
    x[0] = 1
    return x


def clash(X, w):
    z = X @ w
    return (z + w).sum()


def forgets(x):
    np.exp(x)


REFUSED = [
    (branches, {"x": ""}, ByhandError, ("the truth of step(x) is unknown", "where(condition, a, b)")),
    (lambda x: max(x, 0), {"x": ""}, ByhandError, ("the truth of", "maximum")),
    (lambda x: x if x == 0 else -x, {"x": ""}, ByhandError, ("the truth of",)),
    (lambda x, y: (x == y) and x, {"x": "", "y": ""}, ByhandError, ("the truth of",)),
    (changes, {"x": "n"}, ByhandError, ("symbolic arrays do not change", "where(mask, a, b)")),
    (clash, {"X": "m n", "w": "n"}, ShapeError, ("z + w: shapes do not fit, m != n", "z: (m,)")),
    (lambda x: float(x), {"x": ""}, ByhandError, ("x is symbolic and no number",)),
    (lambda x: int(x), {"x": ""}, ByhandError, ("x is symbolic and no integer",)),
    (lambda x: [1, 2][x], {"x": ""}, ByhandError, ("x is symbolic and no integer",)),
    (lambda x: np.array(x), {"x": "n"}, ByhandError, ("no values to make a NumPy array of",)),
    (lambda x: np.asarray([x, x]), {"x": "n"}, ByhandError, ("no values to make a NumPy array of",)),
    (lambda x: [x[k] for k in range(len(x))], {"x": "n"}, ByhandError, ("a symbolic dimension is no integer",)),
    (lambda x: len(list(x)), {"x": "n"}, ByhandError, ("cannot be iterated over",)),
    (lambda x: [v for v in x], {"x": "n"}, ByhandError, ("cannot be iterated over",)),
    (lambda x: list(range(x.shape[0])), {"x": "n"}, ByhandError, ("a symbolic dimension is no integer",)),
    (lambda x: np.ones(x.shape[0]) @ x, {"x": "n"}, ByhandError, ("byhand.functions.ones",)),
    (lambda x: np.median(x), {"x": "n"}, ByhandError, ("np.median is unknown for symbolic arrays",)),
    (lambda x: np.arctan2(x, x), {"x": "n"}, ByhandError, ("np.arctan2 is unknown", "did you mean `arctan`?")),
    (lambda x: np.linalg.svd(x), {"x": "n n"}, ByhandError, ("np.linalg.svd is unknown",)),
    (lambda x: np.multiply.outer(x, x), {"x": "n"}, ByhandError, ("np.multiply.outer is unknown",)),
    (lambda x: np.sum(x, dtype=float), {"x": "n"}, ByhandError, ("np.sum: the option dtype",)),
    (lambda x: np.exp(x, out=np.ones(3)), {"x": "3"}, ByhandError, ("np.exp: the option out",)),
    (lambda x: np.trace(x, 1), {"x": "n n"}, ByhandError, ("np.trace",)),
    (lambda x: x.cumprod(), {"x": "3"}, ByhandError, (".cumprod is unknown for symbolic arrays", ".transpose()")),
    (lambda x: (x + 0.5).astype(int), {"x": "n"}, ByhandError, ("numbers are cut off",)),
    (lambda x: x.squeeze(0), {"x": "n"}, ShapeError, ("an axis is longer than 1",)),
    (lambda x: x // 2, {"x": "n"}, ByhandError, ("unsupported operand",)),
    (lambda x: np.array([1.0, 2.0]) @ x, {"x": "2"}, ParseError, ("an array of shape (2,)", "make it an argument")),
    (lambda x: x @ [1, 2], {"x": "2"}, ParseError, ("a list cannot stand in an expression",)),
    (lambda x: (x, x), {"x": "n"}, ParseError, ("returned a tuple",)),
    (lambda x: 3.0, {"x": "n"}, ParseError, ("returned a float",)),
    (forgets, {"x": "n"}, ParseError, ("forgets returned nothing: is `return` missing?",)),
    (lambda x, y: x, {"x": "n"}, ParseError, ("no shape for y", "shapes={'y': ...}")),
    (lambda value: value, {"value": "n", "valeu": "n"}, ParseError, ("no argument valeu, did you mean `value`?",)),
    ("x + 1", {}, ParseError, ("trace needs a function, not a str", "byhand.parse")),
]  # fmt: skip


@pytest.mark.parametrize(("function", "shapes", "error", "says"), REFUSED)
def test_refused(function, shapes, error, says):
    with pytest.raises(ByhandError) as caught:
        byhand.trace(function, shapes)
    assert type(caught.value) is error
    for words in says:
        assert words in str(caught.value)


def test_errors_point_into_the_function():
    with pytest.raises(ShapeError) as caught:
        byhand.trace(clash, {"X": "m n", "w": "n"})
    shown, carets = caught.value.caret()
    assert "return (z + w).sum()" in shown
    assert shown[carets.index("^") :].startswith("z + w") and carets.count("^") == 5
    assert caught.value.line == clash.__code__.co_firstlineno + 2


def test_errors_of_the_function_itself_pass():
    def wrong(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        byhand.trace(wrong, {"x": "n"})
    with pytest.raises(TypeError, match="takes 1 positional"):
        byhand.trace(lambda x: branches(x, x), {"x": "n"})
