"""Refusals: the class, what is said, where the caret stands, and remedies that fit."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

import byhand
from byhand import DataError, MissingRuleError, ParseError, ShapeError
from byhand.expr.elsewhere import MEANING
from byhand.expr.vocabulary import VOCABULARY

MATRICES = {"A": "m n", "B": "n m", "C": "m n", "S": "n n", "x": "n", "y": "m", "s": "", "t": "m"}
REMEDY = re.compile(r"`([^`]+)` is (\([^)]*\))")


@dataclass(frozen=True)
class Case:
    """A text that is refused: class, column of the caret (from 1), fragments of the message, width, line."""

    text: str
    error: type
    column: int
    says: tuple[str, ...]
    width: int = 1
    line: int = 1
    shapes: dict = field(default_factory=lambda: MATRICES)
    assume: dict = field(default_factory=dict)


NUMBERS = {"W": "784 256", "X": "32 784", "b": "10"}
CASES = [
    # shape clashes
    Case("W @ X", ShapeError, 5, ("W @ X: inner dimensions differ, 256 != 32", "W: (784, 256)", "X: (32, 784)",
                                  "These fit: `X @ W` is (32, 256)"), shapes=NUMBERS),
    Case("sum(A @ C)", ShapeError, 9, ("A @ C: inner dimensions differ, n != m", "`A.T @ C` is (n, n)",
                                       "`A @ C.T` is (m, m)")),
    Case("A @ y", ShapeError, 5, ("inner dimensions differ, n != m", "`y @ A` is (n,)")),
    Case("x @ y", ShapeError, 5, ("`outer(x, y)` is (n, m)",)),
    Case("s @ A", ShapeError, 1, ("s @ A: a scalar has no matrix product", "`s * A` is (m, n)")),
    Case("A @ B @ C @ y", ShapeError, 13, ("(A @ B @ C) @ y: inner dimensions differ, n != m", "A @ B @ C: (m, n)")),
    Case("A + B", ShapeError, 5, ("A + B: shapes do not fit, m != n", "A: (m, n)", "B: (n, m)", "`A.T + B` is (n, m)")),
    Case("A - y", ShapeError, 5, ("A - y: shapes do not fit, n != m on axis -1", "`A - y[:, None]` is (m, n)")),
    Case("s + A*A + y", ShapeError, 11, ("(s + A*A) + y: shapes", "s + A*A: (m, n)")),
    Case("A * B", ShapeError, 5, ("A * B: shapes do not fit", "`A.T * B` is (n, m)")),
    Case("A / B", ShapeError, 5, ("A / B: shapes do not fit",)),
    Case("A ** y", ShapeError, 6, ("A ** y: shapes do not fit",)),
    Case("where(A > 0, B, C)", ShapeError, 14, ("where(A > 0, B, C): shapes do not fit", "A > 0: (m, n)")),
    Case("A > y", ShapeError, 5, ("A > y: shapes do not fit",)),
    Case("maximum(A, B)", ShapeError, 12, ("maximum(A, B): shapes",)),
    Case("minimum(A, B)", ShapeError, 12, ("minimum(A, B): shapes",)),
    Case("inv(A + C)", ShapeError, 5, ("inv(A + C): a square matrix is needed, m != n",
                                      "`(A + C) @ (A + C).T` is (m, m)"), 5),
    Case("trace(A)", ShapeError, 7, ("trace(A): a square matrix is needed",)),
    Case("det(x)", ShapeError, 5, ("det: a matrix is needed, x has 1 axis",)),
    Case("logdet(s)", ShapeError, 8, ("logdet: a matrix is needed, s has no axes",)),
    Case("solve(S, y)", ShapeError, 10, ("solve(S, y): the rows must agree",)),
    Case("diag(A)", ShapeError, 6, ("a square matrix is needed",)),
    Case("outer(A, x)", ShapeError, 7, ("outer: a vector is needed, A has 2 axes",)),
    Case("kron(A, x)", ShapeError, 9, ("kron: a matrix is needed, x has 1 axis",)),
    Case("inner(A, B)", ShapeError, 10, ("inner(A, B): the shapes must be equal", "`inner(A, B.T)` is ()")),
    Case("softmax(s)", ShapeError, 9, ("softmax(s): at least one axis is needed",)),
    Case("cross_entropy(A, x)", ShapeError, 18, ("targets are labels of shape (m,) or probabilities of shape (m, n)",)),
    Case("cross_entropy(s, x)", ShapeError, 15, ("logits have at least one axis",)),
    Case("sum(A, axis=2)", ShapeError, 5, ("axis 2: A has 2 axes",)),
    Case("einsum('ij,jk->ik', A, C)", ShapeError, 24, ("the letter j stands for two dimensions, n != m",)),
    Case("einsum('ii->', A)", ShapeError, 16, ("the letter i stands for two dimensions, m != n",)),
    Case("einsum('ijk->', A)", ShapeError, 17, ("'ijk' has 3 letters, A has 2 axes",)),
    Case("concatenate([A, B], axis=0)", ShapeError, 17, ("concatenate([A, B], axis=0): the other axes differ",)),
    Case("A[:, :, 0]", ShapeError, 1, ("A[...]: 3 indices for 2 axes",)),
    Case("b[:, None][12]", ShapeError, 1, ("the index is outside an axis of 10",), 10, shapes=NUMBERS),
    Case("A[arange(m), x]", ShapeError, 14, ("arrays of integers of shapes (m,) and (n,) do not fit each other",)),
    Case("b[arange(12)]", ShapeError, 3, ("arange(12) as an index: it is outside an axis of 10",), 10, shapes=NUMBERS),
    Case("eye(A)", ShapeError, 1, ("A is not the size of an axis",), 6),
    Case("ones((m, 0))", ShapeError, 1, ("0 is not the size of an axis",), 12),
    Case("Z = A @ B\nH = relu(Z)\nH @ A @ H", ShapeError, 9, ("(H @ A) @ H", "H @ A: (m, n)", "H    : (m, m)"), line=3),
    # names, functions, arguments
    Case("maxi(A, 0)", ParseError, 1, ("unknown function maxi, did you mean `max",), 4),
    Case("max(A, 0)", ParseError, 1, ("max(..., 0): did you mean `maximum`?", "max(..., axis=0) is over an axis"), 9),
    Case("sum(min(A - 1, A))", ParseError, 5, ("min(..., A): did you mean `minimum`?",), 13),
    Case("max(-A, -1)", ParseError, 1, ("max(..., -1): did you mean `maximum`?", "max(..., axis=-1)"), 11),
    Case("softmx(A)", ParseError, 1, ("unknown function softmx, did you mean `softmax`?",), 6),
    Case("np.svd(A)", ParseError, 1, ("unknown function np.svd",), 6),
    Case("A + Q", ParseError, 5, ("unknown name Q", "give Q a shape, or define it on a line above")),
    Case("softmax()", ParseError, 1, ("softmax: missing a required argument: 'x'", "softmax(x, axis=-1)"), 9),
    Case("exp(A, C)", ParseError, 1, ("exp: too many positional arguments",), 9),
    Case("sum(A, dim=1)", ParseError, 1, ("got an unexpected keyword argument 'dim'",), 13),
    Case("sum(A, axis='x')", ParseError, 1, ("an axis is an integer",), 16),
    Case("log(sum)", ParseError, 5, ("sum is a function: call it",), 3),
    Case("A(2)", ParseError, 1, ("A is not a function", "write * for a product")),
    Case("A.inverse()", ParseError, 1, ("no attribute .inverse",), 9),
    Case("A + 'x'", ParseError, 5, ("'x' is not an array or a number",), 3),
    Case("where(A, A, C)", ParseError, 1, ("the condition is a comparison",), 14),
    Case("where(sum(A > 0, axis=1, keepdims=True), A, C)", ParseError, 1, ("the condition is a comparison",), 46),
    Case("A[C > 0]", ParseError, 1, ("an array of integers in an index is an input",), 8),
    Case("A['x']", ParseError, 1, ("an index is a slice, an integer",), 6),
    Case("A[::x]", ParseError, 1, ("the bounds and the step of a slice are integers",), 6),
    Case("A[::0]", ParseError, 1, ("the step of a slice is not 0",), 6),
    Case("A & C", ParseError, 1, ("& is for masks",), 5),
    Case("~A", ParseError, 1, ("~ is for masks",), 2),
    Case("x // 2", ParseError, 1, ("// is for dimensions",), 6),
    Case("A.shape[2]", ParseError, 1, ("there are 2 entries",), 10),
    Case("reshape(A, (m, m))", ShapeError, 9, ("entries do not make",)),
    Case("reshape(A, (-1, -1))", ParseError, 1, ("at most one axis is -1",), 20),
    Case("layer_norm(A, y, x)", ShapeError, 1, ("layer_norm(X, g, b, eps=1e-5): shapes do not fit", "g: (m,)"), 19),
    Case("A.__class__", ParseError, 1, ("no attribute .__class__",), 11),
    Case("__import__('os')", ParseError, 1, ("__import__ is not a name of the expression language",), 10),
    # syntax
    Case("A^2", ParseError, 1, ("^ cannot stand in an expression", "write ** for a power"), 3),
    Case("2A", ParseError, 1, ("write * for a product: 2*X",)),
    Case("A if A else C", ParseError, 1, ("if ... else (use where) cannot stand in an expression",), 13),
    Case("A × B", ParseError, 3, ("write *",)),
    Case("sum(A", ParseError, 4, ("'(' was never closed",)),
    Case("A < C < A", ParseError, 1, ("one comparison at a time",), 9),
    Case("A\nC", ParseError, 1, ("only the last line may be without a name",)),
    Case("A += C", ParseError, 1, ("the last line is an expression or `name = expression`",), 6),
    Case("A = C", ParseError, 1, ("A is an input already",)),
    Case("Z = A\nZ = C", ParseError, 1, ("Z is an intermediate already", "Z_new"), line=2),
    Case("exp = A\nexp", ParseError, 1, ("exp is the name of a function",), 3),
    Case("m = 2\nm*A", ParseError, 1, ("m is a dimension",)),
    Case("", ParseError, 1, ("an empty text is not an expression",)),
    # numbers
    Case("A/0", ParseError, 3, ("division by zero",)),
    Case("1e400*A", ParseError, 1, ("inf is not a finite number",), 5),
    Case("A**65", ParseError, 4, ("the largest is 64",), 2),
    Case("(-2)**0.5", ParseError, 7, ("is not a real number",), 3),
    # declared shapes and properties
    Case("A", ParseError, 6, ("'n/2' is not a dimension",), 3, shapes={"A": "m n/2"}),
    Case("A", ShapeError, 6, ("dimension 0: a dimension is at least 1",), shapes={"A": "m 0"}),
    Case("A", ShapeError, 4, ("dimension -1: a dimension is at least 1",), 7, shapes={"A": (3, -1)}),
    Case("A", ParseError, 4, ("unknown property 'symetric' of A, did you mean `symmetric`?",), 8,
         assume={"A": "symetric"}),
    Case("A", ShapeError, 4, ("A cannot be symmetric: only a square matrix can", "A: (m, n)"), 9,
         assume={"A": "symmetric"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case.text))
def test_refused(case):
    with pytest.raises(byhand.ByhandError) as caught:
        byhand.parse(case.text, case.shapes, case.assume)
    error = caught.value
    assert type(error) is case.error, error
    for words in case.says:
        assert words in str(error)
    assert (error.line, error.column, error.width) == (case.line, case.column, case.width), error
    assert str(error).startswith(error.message) and error.message == error.args[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case.text))
def test_the_caret_stands_under_the_operand(case):
    with pytest.raises(byhand.ByhandError) as caught:
        byhand.parse(case.text, case.shapes, case.assume)
    shown, carets = caught.value.caret()
    place = f"line {case.line}, column {case.column}: "
    assert shown.startswith(place)
    assert carets == " " * (len(place) + case.column - 1) + "^" * case.width


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.error is ShapeError and not c.assume], ids=lambda c: repr(c.text)
)
def test_remedies_fit(case):
    with pytest.raises(ShapeError) as caught:
        byhand.parse(case.text, case.shapes)
    for text, shape in REMEDY.findall(str(caught.value)):
        lines = case.text.split("\n")[:-1]
        fits = byhand.parse("\n".join([*lines, text]), case.shapes)
        assert f"({', '.join(map(str, fits.shape))}{',' * (len(fits.shape) == 1)})" == shape


def test_a_long_line_is_shown_around_the_caret():
    text = " + ".join(["A"] * 100) + " + B"
    with pytest.raises(ShapeError) as caught:
        byhand.parse(text, MATRICES)
    shown, carets = caught.value.caret()
    assert shown[carets.index("^")] == "B" and len(shown) < 140


def test_the_class_is_printed_as_shape_error():
    with pytest.raises(ShapeError) as caught:
        byhand.parse("W @ X", NUMBERS)
    assert type(caught.value).__name__ == "ShapeError"
    assert str(caught.value).split("\n") == [
        "W @ X: inner dimensions differ, 256 != 32",
        "  line 1, column 5: W @ X",
        "                        ^",
        "  W: (784, 256)",
        "  X: (32, 784)",
        "  These fit: `X @ W` is (32, 256)",
    ]


@pytest.mark.parametrize(
    ("shapes", "assume", "says"),
    [
        ({"2x": "n"}, {}, "'2x' is not a name"),
        ({"exp": "n"}, {}, "exp is the name of a function"),
        ({"x": "n", "n": ""}, {}, "n is both an input and a dimension"),
        ({"x": "sum"}, {}, "dimension sum is the name of a function"),
        ({"x": "n"}, {"y": "positive"}, "properties of y, which has no shape"),
        ({"x": 1.5}, {}, "'1.5' is not a dimension"),
        ({"x": "n"}, {"x": 3}, "the properties of x are words"),
        ([("x", "n")], {}, "shapes and assume are dicts"),
    ],
)
def test_declarations_are_refused(shapes, assume, says):
    with pytest.raises(byhand.ByhandError) as caught:
        byhand.parse("x", shapes, assume)
    assert says in str(caught.value)


# ---- at run time

LABELS = byhand.parse("mean(cross_entropy(Z, t))", {"Z": "m k", "t": "m"})
Z, T = np.zeros((4, 3)), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"Z": Z, "t": np.array([0, 1, 3, 0])}, "t: the label 3 at 2 is outside 0..2"),
        ({"Z": Z, "t": np.array([0, -1, 2, 0])}, "t: the label -1 at 1 is outside 0..2"),
        ({"Z": Z, "t": np.array([0.0, 1, 2, 0])}, "t: integer labels are needed, not float64"),
        ({"Z": Z, "t": T[:3]}, "t: dimension m is 3, but Z has 4"),
        ({"Z": Z[0], "t": T}, "Z: expected shape (m, k), got (3,)"),
        ({"Z": Z}, "missing: t (m,)"),
        ({"Z": Z, "t": T, "u": 1}, "no input is called u"),
        ({"Z": [["a"]], "t": T}, "Z: an array of numbers is needed"),
        ({"Z": [[1, 2], [3]], "t": T}, "Z: an array of numbers is needed"),
    ],
)
def test_data_that_do_not_fit(values, says):
    with pytest.raises(DataError) as caught:
        byhand.evaluate(LABELS, **values)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "array"),
    [
        ("simplexrows", [[0.5, 0.6], [0.5, 0.5]]),
        ("symmetric", [[1.0, 2.0], [3.0, 4.0]]),
        ("spd", [[1.0, 0.0], [0.0, -1.0]]),
        ("spd", [[1.0, np.nan], [np.nan, 1.0]]),
        ("positive", [[1.0, 0.0], [1.0, 1.0]]),
        ("one_hot", [[1.0, 1.0], [0.0, 1.0]]),
        ("orthogonal", [[1.0, 1.0], [0.0, 1.0]]),
        ("diagonal", [[1.0, 1.0], [0.0, 1.0]]),
        ("pm1", [[1.0, 0.0], [0.0, 1.0]]),
        ("01", [[1.0, 2.0], [0.0, 1.0]]),
        ("wellcond", [[1.0, 1.0], [1.0, 1.0]]),
    ],
)
def test_a_property_that_the_data_break_is_found_when_asked(declared, array):
    f = byhand.parse("sum(X)", {"X": "n n"}, {"X": declared})
    byhand.evaluate(f, X=np.array(array))
    with pytest.raises(DataError, match=f"X was declared {declared}"):
        byhand.evaluate(f, check=True, X=np.array(array))


def test_an_integer_dimension_contradicts_the_data():
    with pytest.raises(DataError, match=r"x: expected shape \(3,\), got \(4,\)"):
        byhand.evaluate(byhand.parse("sum(x)", {"x": 3}), x=np.ones(4))


def test_a_slice_outside_the_data_is_refused():
    f = byhand.parse("sum(x[0:3])", {"x": "n"})
    assert byhand.evaluate(f, x=np.arange(5.0)) == 3
    with pytest.raises(DataError, match="outside an axis of 2"):
        byhand.evaluate(f, x=np.ones(2))


def test_a_singular_matrix_is_a_data_error():
    with pytest.raises(DataError, match="inv: singular matrix"):
        byhand.evaluate(byhand.parse("inv(A)", {"A": "n n"}), A=np.zeros((2, 2)))


def test_an_operation_without_a_rule():
    from byhand.expr.functions import function
    from byhand.expr.operations import apply

    with pytest.raises(MissingRuleError, match=r"no elementwise function sine, did you mean `sin"):
        function("sine")
    with pytest.raises(MissingRuleError, match="no operation svd"):
        apply("svd")


def test_a_gradient_needs_a_scalar():
    with pytest.raises(ShapeError, match=r"a gradient needs a scalar function: f has shape \(n,\)"):
        byhand.derive(byhand.parse("x", {"x": "n"}), "x")


@pytest.mark.parametrize("word", MEANING)
def test_what_a_function_is_called_elsewhere_is_answered(word):
    here = MEANING[word]
    assert not here.isidentifier() or here in VOCABULARY
    assert word not in VOCABULARY
    with pytest.raises(ParseError, match="unknown function") as caught:
        byhand.parse(f"sum({word}(x))", {"x": "n"})
    assert f"unknown function {word}: here it is `{here}`" in str(caught.value)


@pytest.mark.parametrize("word, near", [("tahn", "tanh"), ("sigmod", "sigmoid"), ("nrom", "norm"), ("Log", "log")])
def test_a_slip_of_the_hand_is_answered(word, near):
    with pytest.raises(ParseError, match=f"unknown function {word}, did you mean `{near}`"):
        byhand.parse(f"sum({word}(x))", {"x": "n"})


def test_a_word_that_is_near_nothing_is_not_answered():
    with pytest.raises(ParseError) as caught:
        byhand.parse("sum(zzgrmpf(x))", {"x": "n"})
    assert "did you mean" not in str(caught.value) and "here it is" not in str(caught.value)
