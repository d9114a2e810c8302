"""Arithmetic of dimensions in shapes, and sizes solved from axes that are products and sums."""

import numpy as np
import pytest
from oracles import relative_error

import byhand
from byhand.errors import ByhandError, DataError, ParseError, ShapeError
from byhand.expr.dims import dim_value, parse_dim, parse_shape, show_shape
from byhand.expr.sizes import solved_names, telling

SIZES = {"m": 5, "n": 3, "L": 11, "H": 2, "K": 7}
READ = {
    "m*n": 15, "n+1": 4, "L-2": 9, "H*K": 14, "2*(L-1)": 20, "n**2": 9, "(m+n)*(m-n)": 16, "2*m*n - 3": 27,
    "(n)": 3, "m - n + 1": 3, "n**2*m+m": 50, "L-(m-n)": 9,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), READ.items(), ids=READ)
def test_dimensions_are_read_as_they_are_written_and_printed(text, value):
    (dim,) = parse_shape(text)
    assert dim_value(dim, SIZES) == value
    assert parse_shape(show_shape((dim, 4))) == (dim, 4)
    assert parse_shape(f"m {text}, 3") == (parse_dim("m"), dim, 3)


def test_integers_are_computed():
    assert parse_shape("3*4 2**3 (5-1)") == (12, 8, 4)


@pytest.mark.parametrize(
    "text", ["m*", "(m", "m)", "m/n", "n-n", "-3", "m**0", "m**99", "m**n", "2m", "m..n", "+".join("m" * 40)]
)
def test_what_is_no_dimension_is_refused(text):
    with pytest.raises((ParseError, ShapeError), match="dimension"):
        byhand.parse("sum(x)", {"x": text})


# ---- solving

SOLVED = [
    ("n+1", {}, {"n": 3}), ("2*n", {}, {"n": 3}), ("n-2", {}, {"n": 3}), ("m*n; n", {}, {"m": 5, "n": 3}),
    ("m*n - n; m", {}, {"m": 5, "n": 3}), ("n**2", {}, {"n": 3}), ("2*n**2+1", {}, {"n": 3}), ("m+n; n*K; K+2", {}, SIZES),
    ("n; n+m", {}, {"m": 5, "n": 3}), ("m*n", {}, {}), ("m+n; m-n", {}, {}), ("n**2+n", {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("axes", "known", "wanted"), SOLVED, ids=[a for a, _, _ in SOLVED])
def test_sizes_are_solved(axes, known, wanted):
    dims = [parse_dim(a.strip().replace(" ", "")) for a in axes.split(";")]
    sizes = dict(known)
    for s in solved_names(dims, known):
        sizes[s.name] = s.size(dim_value(dims[s.place], SIZES), sizes)
    assert sizes == {n: SIZES[n] for n in wanted if any(n in a for a in axes)}


def test_a_size_that_solves_nothing_is_refused():
    f = byhand.parse("mean(x)*sum(y)", {"x": "m*n", "y": "n"})
    with pytest.raises(DataError, match="x: an axis of m\\*n has 7 entries: no m fits with n = 3"):
        byhand.evaluate(f, x=np.ones(7), y=np.ones(3))
    g = byhand.parse("sum(x)*sum(y)", {"x": "n", "y": "n+1"})
    with pytest.raises(DataError, match=r"y: expected shape \(n \+ 1,\), got \(3,\), where n = 3"):
        byhand.derive(g).function()(x=np.ones(3), y=np.ones(3))
    with pytest.raises(ShapeError, match="the size of dimension m is unknown"):
        byhand.derive(byhand.parse("mean(x)", {"x": "m*n"})).code("numpy")


def test_who_tells_a_size():
    shapes = {n: parse_shape(s) for n, s in {"a": "m*n", "b": "K", "c": "m", "d": "m n"}.items()}
    assert telling(["m", "n"], [shapes["a"]], [(n, shapes[n]) for n in "bcd"]) == ["c"]
    assert telling(["K"], [shapes["a"]], [(n, shapes[n]) for n in "bcd"]) == ["b"]
    assert telling([], [], [("b", shapes["b"])]) == []
    assert set(telling(["m", "K"], [], [(n, shapes[n]) for n in "abcd"])) == {"b", "c"}


# ---- in every target

CASES = {
    "m n beside": ("mean(a)**2*sum(b)", {"x": "m n", "a": "m*n", "b": "n+1"}, ["a", "b"]),
    "n + 1": ("mean(a)*sum(a**2)", {"a": "n+1"}, ["a"]),
    "a square": ("sum(kron(S, S)*V)*mean(V)", {"S": "n n", "V": "n**2 n**2"}, ["V", "S"]),
    "differences": ("sum((x[2:L] - y)**2)/mean(y)", {"x": "L", "y": "L-2"}, ["x", "y"]),
    "heads": ("mean(X @ W)*sum(W**2)", {"X": "m H*K", "W": "H*K n", "k": "K"}, ["W"]),
}  # fmt: skip


@pytest.mark.parametrize("target", ["numpy", "c", "jax"])
@pytest.mark.parametrize(("text", "shapes", "wrt"), CASES.values(), ids=CASES)
def test_every_target_solves_them(text, shapes, wrt, target):
    f = byhand.parse(text, shapes)
    rng = np.random.default_rng(0)
    values = {n: rng.uniform(0.5, 2, [dim_value(d, SIZES) for d in parse_shape(s)]) for n, s in shapes.items()}
    derivation = byhand.derive(f, wrt)
    value, gradients = derivation.function(target)(**values)
    assert relative_error(value, byhand.evaluate(f, **values)) < 1e-12
    for name in wrt:
        wanted = np.zeros(values[name].shape)
        for i in np.ndindex(*wanted.shape):
            moved = values[name].astype(complex)
            moved[i] += 1e-30j
            wanted[i] = byhand.evaluate(f, **{**values, name: moved}).imag / 1e-30
        assert relative_error(gradients[name], wanted) < 1e-12, name


PULLBACKS = {
    "kron, left": ("kron(w, B)", {"w": "m n", "B": "H K"}, "w"),
    "kron, right": ("kron(B, w)", {"w": "m n", "B": "H K"}, "w"),
    "twice as long": ("concatenate((w, 2*w))", {"w": "n"}, "w"),
    "one beside another": ("concatenate((w, v, w))", {"w": "n", "v": "m"}, "w"),
    "inside": ("w[1:n-1]*3", {"w": "n"}, "w"),
    "of a square": ("kron(w, w)", {"w": "n n"}, "w"),
}  # fmt: skip


@pytest.mark.parametrize("target", ["numpy", "interpreter"])
@pytest.mark.parametrize(("text", "shapes", "wrt"), PULLBACKS.values(), ids=PULLBACKS)
def test_pullbacks_find_the_sizes(text, shapes, wrt, target):
    f = byhand.parse(text, shapes)
    rng = np.random.default_rng(0)
    values = {n: rng.normal(size=[dim_value(d, SIZES) for d in parse_shape(s)]) for n, s in shapes.items()}
    u, direction = rng.normal(size=np.shape(byhand.evaluate(f, **values))), rng.normal(size=values[wrt].shape)
    found = byhand.vjp(f, wrt).function(target)(**values, u=u)
    slope = byhand.evaluate(f, **{**values, wrt: values[wrt] + 1e-30j * direction}).imag / 1e-30
    assert abs(np.sum(found * direction) - np.sum(u * slope)) < 1e-12 * np.sum(np.abs(u))


def test_points_are_drawn_where_every_axis_has_entries():
    report = byhand.check(byhand.derive(byhand.parse("sum(y**2)", {"y": "L-9"})))
    assert report.ok
    with pytest.raises(ByhandError):
        byhand.parse("sum(y)", {"y": "9-9"})
