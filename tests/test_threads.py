"""Threads: what several of them do at once is what one does alone, and nothing that they share is left changed."""

import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import numpy as np
import pytest

import byhand
from byhand.expr.nodes import Constant, Symbol, intern
from byhand.expr.trace import trace
from byhand.threads import quiet_warnings

SOURCE = Path(byhand.__file__).parent
MANY = 8
LOSSES = (
    ("sum((X @ W - Y)**2)", {"X": "N D", "W": "D M", "Y": "N M"}),
    ("mean(cross_entropy(relu(X @ W + b) @ V, Y))", {"X": "N D", "W": "D H", "b": "H", "V": "H M", "Y": "N M"}),
    ("sum(softmax(X @ W, axis=1) * Y) + norm(W)**2", {"X": "N D", "W": "D M", "Y": "N M"}),
    ("sum(kron(A, B) * C)", {"A": "m n", "B": "p q", "C": "m*p n*q"}),
)


@pytest.fixture(autouse=True)
def hasty():
    """Threads take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def at_once(job, count=MANY):
    """What `job(k)` returns in each of so many threads that begin together."""
    start = Barrier(count)

    def run(k):
        start.wait(60)
        return job(k)

    with ThreadPoolExecutor(count) as pool:
        return [*pool.map(run, range(count))]


def everything(k):
    """All that is made of one loss, as texts."""
    f = byhand.parse(*LOSSES[k % len(LOSSES)])
    d = byhand.derive(f)
    return [
        str(f), d.text(), d.text("index"), d.latex(), *(d.code(t) for t in ("numpy", "torch", "jax", "c")),
        str(byhand.check(d, seeds=1, oracles="quick")),
    ]  # fmt: skip


def test_a_fresh_process_that_begins_with_threads():
    """Nothing is imported, read or kept yet: the first of all threads finds what one thread finds afterwards."""
    lines = (
        "import sys",
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})",
        "import test_threads as t",
        "sys.setswitchinterval(1e-5)",
        "found = t.at_once(t.everything)",
        "alone = [t.everything(k) for k in range(len(t.LOSSES))]",
        "assert all(a == alone[k % len(alone)] for k, a in enumerate(found)), 'others'",
        "print('the same')",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "the same\n", done.stderr


def test_one_derivation_of_many_threads():
    def views(d):
        return [
            lambda: d.text(), lambda: d.text("index"), lambda: d.latex("jacobian"), lambda: d.code(), lambda: d.to_dict(),
            lambda: str(byhand.check(d, seeds=1, oracles="quick")), lambda: d.html(), lambda: str(d.cost()),
        ]  # fmt: skip

    shared = byhand.derive(byhand.parse(*LOSSES[1]))
    found = at_once(lambda k: views(shared)[k]())
    assert found == [views(byhand.derive(byhand.parse(*LOSSES[1])))[k]() for k in range(MANY)]


@pytest.mark.parametrize("kind", [Symbol, Constant])
def test_a_node_that_two_threads_make_is_one(kind):
    """Both have asked for it before one of them has made it."""
    asked = Barrier(MANY)

    def children():
        asked.wait(60)
        yield from ()

    key = (f"{kind.__name__} of two threads", "key")
    assert len({id(node) for node in at_once(lambda k: intern(kind, key, (), children(), name=key[0]))}) == 1


def test_gradients_of_a_node_made_at_once_cancel():
    """Equal terms are one node, so their difference is zero."""
    for round_ in range(20):
        nodes = at_once(lambda k, r=round_: byhand.parse(f"sum(tanh(X{r} @ X{r}) * {r + 2})", {f"X{r}": "n n"}).root)
        assert len(set(map(id, nodes))) == 1


def test_what_python_keeps_once_is_asked_in_one_place():
    single = re.compile(r"\bast\.(parse|literal_eval)\(|\bgetsource\(|catch_warnings\(|\.setLevel\(")
    places = {str(p.relative_to(SOURCE)) for p in SOURCE.rglob("*.py") if single.search(p.read_text("utf-8"))}
    commands = {"cli/output.py", "cli/run.py"}  # one thread, the command's own
    assert places - commands == {"threads.py", "check/oracles.py"}, "use byhand.threads"


def test_warnings_are_quiet_until_the_last_thread_leaves():
    first_in, second_in, first_out = Event(), Event(), Event()
    before, show = [*warnings.filters], warnings.showwarning

    def first():
        with quiet_warnings():
            first_in.set()
            assert second_in.wait(60)
        first_out.set()

    def second():
        assert first_in.wait(60)
        with quiet_warnings(UserWarning):
            second_in.set()
            assert first_out.wait(60)
            warnings.warn("not shown", DeprecationWarning, stacklevel=1)
            with pytest.raises(UserWarning, match="as an error"):
                warnings.warn("as an error", UserWarning, stacklevel=1)

    at_once(lambda k: (first, second)[k](), 2)
    assert warnings.filters == before
    assert warnings.showwarning is show


def test_parsing_leaves_the_filters_of_warnings():
    before = [*warnings.filters]
    at_once(lambda k: [byhand.parse(f"sum(X * {k + 2}.5) + {j}", {"X": "n"}) for j in range(20)])
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="still shown"):
        warnings.warn("still shown", UserWarning, stacklevel=1)


def test_a_traced_function_is_traced_in_its_own_thread():
    inside, other = Event(), Event()

    def traced():
        def loss(X):
            inside.set()
            assert other.wait(60)
            return byhand.functions.sum(X * byhand.functions.ones(3))

        return trace(loss, {"X": (3,)})

    def untraced():
        assert inside.wait(60)
        try:
            return byhand.functions.ones(3)
        finally:
            other.set()

    f, ones = at_once(lambda k: (traced, untraced)[k](), 2)
    assert isinstance(ones, np.ndarray)
    assert isinstance(f, byhand.Expression)


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_one_compiled_function_of_many_threads(target):
    run = byhand.derive(byhand.parse(*LOSSES[1]), ["W", "V", "b"]).function(target)
    points = []
    for k in range(MANY):
        rng = np.random.default_rng(k)
        points.append(
            {n: rng.normal(size=s) for n, s in {"X": (307, 67), "W": (67, 71), "b": (71,), "V": (71, 13)}.items()}
        )
        points[-1]["Y"] = rng.dirichlet(np.ones(13), size=307)
    found = at_once(lambda k: [run(**points[k]) for _ in range(10)])
    for k, results in enumerate(found):
        value, gradients = run(**points[k])
        for v, g in results:
            assert v == value
            assert all(np.array_equal(g[n], gradients[n]) for n in gradients)


def test_libraries_compiled_at_once():
    x = np.linspace(-1, 2, 7)
    d = byhand.derive(byhand.parse("sum(tanh(x)*x) + 17", {"x": "n"}))
    first = at_once(lambda k: d.function("c")(x=x), 4)
    value = np.sum(np.tanh(x) * x) + 17
    assert all(np.isclose(v, value, rtol=1e-13) for v, _ in first)


def test_fits_of_many_threads():
    """Networks of the same settings share a derived program, and no buffer."""

    def fitted(k):
        rng = np.random.default_rng(k)
        X = rng.normal(size=(97, 5))
        model = byhand.MLPRegressor([7], max_epochs=2, random_state=3, engine="numpy").fit(X, np.sin(X[:, 0]) + k)
        return model.predict(X)

    for k, found in enumerate(at_once(fitted)):
        assert np.array_equal(found, fitted(k))


def test_gradients_checked_at_once():
    def verdict(k):
        X = np.random.default_rng(k).normal(size=(7, 5))
        report = byhand.check_gradient(lambda W: np.sum(np.tanh(X @ W)), lambda W: {"W": X.T @ (1 - np.tanh(X @ W) ** 2)},
                                       {"W": np.full((5, 3), 0.1 * k - 0.3)})  # fmt: skip
        return bool(report.ok), re.sub(r"[\d.]+ s\b", "", str(report))

    found = at_once(verdict)
    assert all(ok for ok, _ in found)
    assert found == [verdict(k) for k in range(MANY)]
