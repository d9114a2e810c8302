"""The C99 target: a row for everything, the interpreter's values, no warning, no bad access, nothing overflows."""

import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from acceptance.random_expressions import generate
from code_generation.c_files import STRICT, Unit, assert_call_agrees
from code_generation.test_agreement import ACTIVATIONS, CASES, NOT_WRITTEN, PROBLEMS, drawn
from tools import SANITIZED

import byhand
from byhand.code import compile_expression, generate_expression
from byhand.code.c.compiler import compiler_command, environment, wheel_command
from byhand.code.c.entries import LINEAR_ALGEBRA
from byhand.code.c.functions import FUNCTIONS, KERNELS, NEEDS
from byhand.code.c.identifiers import CIdentifiers
from byhand.code.c.places import Places
from byhand.expr.functions import FUNCTIONS as ALL_FUNCTIONS
from byhand.expr.nodes import Structured, topological
from byhand.expr.operations import OPERATIONS, apply
from byhand.train.c_updates import Update
from byhand.train.engines import ENGINES
from byhand.train.optimizers import Optimizer, update_program

# problems and cases that the C target refuses, by the operation that it names
WITHOUT_C = {
    "tr_AinvXB": "inv", "det": "det", "logdet": "logdet", "gp_noise": "inv", "sym_logdet": "logdet", "inverse": "inv",
    "solve": "inv", "solve from the left": "inv", "symmetric": "inv",
}  # fmt: skip
LOSSES = {"softmax_cross_entropy": 3, "mse": 3, "multilabel_cross_entropy": 3, "binary_cross_entropy": 1, "mae": 3,
          "huber": 3, "log_cosh": 3, "poisson": 3, "raw_logit_nll": 3}  # fmt: skip


def problems():
    for p in PROBLEMS:
        if p["kind"] == "grad":
            shapes = {name: " ".join(dims) for name, dims in p["shapes"].items()}
            for wrt in (p["wrt"], None):
                yield p["id"], p["expr"], shapes, p.get("domain", {}), wrt
    for name, (text, shapes, assume) in CASES.items():
        every = [n for n in shapes if assume.get(n) != "labels"]
        yield name, text, shapes, assume, every if name in NOT_WRITTEN else None


def network_values(net, seed=0, batch=11):
    rng = np.random.default_rng(seed)
    values = {n: rng.uniform(-1, 1, v.shape) for n, v in net.init(0).items()}
    shapes = {n: tuple(batch if str(d) == "N" else int(d) for d in s) for n, s in net.shapes.items() if n not in values}
    for name, shape in shapes.items():
        values[name] = (
            rng.integers(0, int(net.sizes[-1]), shape)
            if net.targets == "labels" and name == "y"
            else rng.uniform(0, 1, shape)
        )
    if net.targets == "probabilities":
        values["Y"] /= values["Y"].sum(axis=1, keepdims=True)
    return values


def networks():
    for activation in [*ACTIVATIONS, "softmax", "identity", "z*sigmoid(1.702*z)"]:
        yield activation, byhand.MLP("5-7-6-3", activation=activation, l2=0.02)
    for loss, outputs in LOSSES.items():
        yield loss, byhand.MLP(f"5-7-{outputs}", activation="tanh", loss=loss)
    yield "probabilities", byhand.MLP("5-7-3", targets="probabilities", bias=False)
    yield "penalty", byhand.MLP("5-7-3", l2="lam")
    yield "wide", byhand.MLP("30-41-17-2", activation="relu")


def unit_of(entries):
    unit = Unit()
    for name, derivation, values, parameters in entries:
        unit.add(name, derivation, values, parameters=parameters)
    return unit


def written_problems():
    for name, text, shapes, assume, wrt in problems():
        if name not in WITHOUT_C:
            yield name, byhand.derive(byhand.parse(text, shapes, assume), wrt), drawn(shapes, assume), ()


def written_networks():
    for name, net in networks():
        yield name, byhand.derive(net), network_values(net), net.parameters


def test_every_function_has_a_row():
    assert {*ALL_FUNCTIONS} == {*FUNCTIONS}
    called = {m for source in FUNCTIONS.values() for m in re.findall(r"^(\w+)\(", source)}
    assert {*KERNELS} <= called | {"dot"} and {n for ns in NEEDS.values() for n in ns} <= {*KERNELS}


REFUSED = {"inv", "det", "logdet", "adjugate", "winner", "argmax"}
OPERATIONS_AS_TEXTS = {
    "inv": "inv(A)", "det": "det(A)", "logdet": "logdet(A)", "softmax": "softmax(A, axis=1)",
    "log_softmax": "log_softmax(A, axis=0)", "logsumexp": "logsumexp(A, axis=1)", "power": "exp(A)**A", "max": "max(A, axis=1)",
    "where": "where(A > 0, A, A**2)", "one_hot": "one_hot(t, 5)", "affine": "A[::2]", "triangle": "cumsum(A, axis=0)",
    "arange": "arange(n) * A[0]", "winner": "winner(A, axis=1)", "argmax": "1.0 * argmax(A, axis=1)",
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_written_or_refused_by_name(operation, tmp_path):
    """What C writes is the interpreter's value; what it has no row for it says, and which."""
    if operation == "adjugate":  # no word of the language
        A = byhand.parse("A", {"A": "n n"})
        f = byhand.Expression(apply("adjugate", A.root), A.inputs)
    else:
        f = byhand.parse(OPERATIONS_AS_TEXTS[operation], {"A": "n n", "t": "n"})
    operations = {n.operation for n in topological([f.root]) if isinstance(n, Structured)}
    assert operation in operations
    values = {"A": np.random.default_rng(0).standard_normal((5, 5)), "t": np.array([4, 0, 2, 2, 1])}
    try:
        function = compile_expression(f, "c")
    except byhand.MissingRuleError as error:
        assert operation in REFUSED, error
        assert operation in str(error) or LINEAR_ALGEBRA[operation] in str(error)
        return
    assert operation not in REFUSED
    values = {name: values[name] for name in function.inputs}
    np.testing.assert_allclose(function(**values), byhand.evaluate(f, **values), rtol=1e-13)


def test_no_memory_of_a_problem_is_overwritten_that_is_read_later(monkeypatch):
    """Every problem and network, loop by loop: what shares a slot is read for the last time before the next is written."""
    made = []

    class Seen(Places):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr("byhand.code.c.source.Places", Seen)
    for _, derivation, _, _ in [*written_problems(), *written_networks()]:
        derivation.code("c")
    shared = 0
    for places in made:
        for slot in places.storage.slots:
            for before, after in zip(slot.held, slot.held[1:], strict=False):
                shared += 1
                last, first = max(places.home[r][:2] for r in places.readers[before]), places.home[after][:2]
                assert last < first or (last == first and places.storage.in_place.get(after) is before)
    assert shared > 50


def test_problems_agree_with_the_interpreter(tmp_path):
    unit = unit_of(written_problems())
    assert len(unit.entries) >= 100
    for entry in unit.compiled(tmp_path):
        assert_call_agrees(*entry)


@pytest.mark.parametrize("flags", [(), ("-O3", "-march=native", "-ffp-contract=fast")], ids=["plain", "fast"])
def test_networks_agree_with_the_interpreter(tmp_path, flags):
    for entry in unit_of(written_networks()).compiled(tmp_path, *flags):
        assert_call_agrees(*entry)


def test_random_expressions_agree_with_the_interpreter(tmp_path):
    unit, refused = Unit(), 0
    for seed in range(60):
        case = generate(random.Random(seed))
        derivation = byhand.derive(byhand.parse(case.text, case.shapes, case.assume))
        try:
            unit.add(case.text, derivation, case.values())
        except byhand.MissingRuleError as error:
            assert "linear algebra" in str(error)
            refused += 1
    assert refused < 25
    for entry in unit.compiled(tmp_path):
        assert_call_agrees(*entry)


@pytest.mark.parametrize("name", WITHOUT_C)
def test_linear_algebra_is_refused_by_name(name):
    text, shapes, assume = next((t, s, a) for n, t, s, a, _ in problems() if n == name)
    derivation = byhand.derive(byhand.parse(text, shapes, assume))
    with pytest.raises(byhand.MissingRuleError, match=rf"{WITHOUT_C[name]} \(") as error:
        derivation.code("c")
    assert "code('numpy')" in str(error.value)


def test_single_precision_is_float_throughout(tmp_path):
    unit = Unit()
    for name, net in networks():
        unit.add(name, byhand.derive(net), network_values(net), "float", net.parameters)
    assert not re.search(r"\bdouble\b", re.sub(r"/\*.*?\*/", "", unit.source, flags=re.DOTALL))
    for entry in unit.compiled(tmp_path, "-Wdouble-promotion"):
        assert_call_agrees(*entry, tolerance=1e-4)


MAIN = """
int main(void)
{
    static double X[N * 5], Y[N * 3];
    static parameters p, g;
    static workspace w;
    for (int i = 0; i < N * 5; i++)
        X[i] = (i % 7) * 0.3 - 1.0;
    for (int i = 0; i < N * 3; i++)
        Y[i] = i % 3 == 0 ? 1.0 : 0.0;
    double *all = (double *)&p;
    for (unsigned i = 0; i < sizeof p / sizeof(double); i++)
        all[i] = (i % 11) * 0.1 - 0.5;
    const double before = forward(X, Y, &p, &w);
    for (int k = 0; k < 200; k++) {
        forward(X, Y, &p, &w);
        backward(X, Y, &p, &w, &g);
        sgd_step(&p, &g, 0.1);
    }
    const double after = forward(X, Y, &p, &w);
    return after < before && after == after ? 0 : 1;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A whole program in C that trains a network: its path without suffix."""
    source = byhand.MLP("5-7-6-3", activation="tanh", targets="probabilities", l2=0.001).code("c", sizes={"N": 11})
    path = tmp_path_factory.mktemp("c") / "network.c"
    path.write_text(source + MAIN, "utf-8")
    return path


def build(compiler, path, *flags):
    target = path.with_suffix(f".{len(flags)}.{compiler[-1]}")
    command = [*compiler, *STRICT, *flags, str(path), "-o", str(target), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return target


COMPILERS = [
    pytest.param(["gcc"], SANITIZED, marks=pytest.mark.needs("sanitizers"), id="sanitized"),
    pytest.param(["gcc"], ("-O3",), marks=pytest.mark.needs("gcc"), id="gcc"),
    pytest.param(wheel_command(), ("-O2",), id="clang of the extra"),
]


@pytest.mark.parametrize(("compiler", "flags"), COMPILERS)
def test_a_program_trains_without_a_bad_access(program, compiler, flags):
    """Warnings are errors; AddressSanitizer and the sanitizer of undefined behaviour end the program at a fault."""
    done = subprocess.run([build(compiler, program, *flags)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs("gcc")
@pytest.mark.needs("valgrind")
def test_a_program_is_clean_under_valgrind(program):
    plain = build(["gcc"], program, "-O1", "-g")
    command = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", str(plain)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "malloc" not in program.read_text("utf-8")


def test_clang_has_no_warnings_either(tmp_path):
    path = tmp_path / "all.c"
    path.write_text(unit_of([*written_problems(), *written_networks()]).source, "utf-8")
    command = [*wheel_command(), *STRICT, "-c", str(path), "-o", str(path.with_suffix(".o"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr[:4000]


@pytest.mark.needs("gcc")
def test_loops_become_vectors(tmp_path):
    path = tmp_path / "network.c"
    path.write_text(byhand.MLP("64-64-32", targets="probabilities").code("c", sizes={"N": 32}, dtype="float"), "utf-8")
    command = ["gcc", "-std=c99", "-O3", "-fopt-info-vec-optimized", "-c", str(path), "-o", str(tmp_path / "n.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = path.read_text("utf-8").splitlines()
    vectors = {int(m) for m in re.findall(r"network\.c:(\d+):", done.stderr)}
    products = [k for k, line in enumerate(lines, 1) if "+= a * " in line]
    assert products and all(k in vectors or k - 1 in vectors for k in products), done.stderr


STABLE = ["sigmoid", "softplus", "log_sigmoid", "logcosh", "silu", "elu", "selu", "gelu", "tanh", "huber"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nothing_overflows(dtype):
    Z = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4 - 1]], dtype)
    text = "sum(logsumexp(Z, axis=1)) + sum(cross_entropy(Z, y)) + sum(softmax(Z, axis=1)) + " + " + ".join(
        f"sum({name}(Z))" for name in STABLE
    )
    derivation = byhand.derive(byhand.parse(text, {"Z": "m n", "y": "m"}, {"y": "labels"}))
    value, gradients = derivation.function("c")(Z=Z, y=np.array([1, 0, 2]))
    expected, exact = derivation.function("numpy")(Z=Z, y=np.array([1, 0, 2]))
    assert np.isfinite(value) and np.isfinite(gradients["Z"]).all()
    np.testing.assert_allclose(value, expected, rtol=1e-12 if dtype == np.float64 else 1e-5)
    np.testing.assert_allclose(gradients["Z"], exact["Z"], rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-6)


# ---- what a person sees


def test_the_file_is_readable():
    source = byhand.MLP("4-16-3").code("c", sizes={"N": 16}, dtype="float")
    for line in ["#define N 16", "typedef struct {", "float forward(", "void backward(", "void sgd_step(",
                 "/* Z1 = X W1 + 1_N b1   (N, 16) */", "/* dZ1 = ∂L/∂Z1 = ∂L/∂H1 ⊙ 1[Z1 > 0]   (N, 16), in the place of H1 */"]:  # fmt: skip
        assert line in source, line
    assert "Saved by forward for backward: H1 (N, 16), P (N, 3): 1216 bytes" in source
    assert max(map(len, source.splitlines())) <= 132 and "malloc" not in source
    expression = byhand.derive(byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w").code("c")
    assert "double value_and_gradients(" in expression
    assert '#error "the size of m is unknown: compile with -DM=..."' in expression


def test_expression_alone():
    source = generate_expression(byhand.parse("H = tanh(A @ x)\nA @ H", {"A": "n n", "x": "n"}), "c", sizes={"n": 3})
    head = "void value(const double *restrict A, const double *restrict x, workspace *restrict w, double *restrict f)"
    assert head in source
    f = compile_expression(byhand.parse("A @ x + b", {"b": "m", "A": "m n", "x": "n"}), "c")
    assert f(b=np.ones(2), A=np.ones((2, 3)), x=np.ones(3)).tolist() == [4.0, 4.0]


# ---- memory


def test_memory_is_used_again_by_liveness():
    """Each activation's memory takes its own adjoint; what must not be overwritten is not."""
    source = byhand.MLP("8-16-16-16-4").code("c", sizes={"N": 32})
    workspace = source[source.index("also") - 200 : source.index("} workspace;")]
    arrays = re.findall(r"double (\w+)\[N \* 16\]", workspace)
    assert len(arrays) <= 4, workspace  # H1, H2, H3 are saved; one adjoint is between them


def test_a_hundred_layers_need_one_array_each():
    sizes = "-".join(["8"] * 101)
    workspace = byhand.MLP(sizes, activation="tanh").code("c", sizes={"N": 4}).split("} workspace;")[0]
    assert len(re.findall(r"double \w+\[N \* 8\];", workspace)) <= 104


# ---- the function


def compiled(text="sum((X @ w - y)**2)/m", shapes=None):
    return byhand.derive(byhand.parse(text, shapes or {"X": "m n", "w": "n", "y": "m"}), "w").function("c")


def test_strided_read_only_and_single_precision_arrays():
    rng = np.random.default_rng(0)
    X, w, y = rng.standard_normal((14, 3))[::2], rng.standard_normal(3), rng.standard_normal(7)
    for a in (X, w, y):
        a.flags.writeable = False
    f = compiled()
    value, gradients = f(X=X, w=w, y=y)
    assert value == pytest.approx(np.mean((X @ w - y) ** 2), rel=1e-14)
    np.testing.assert_allclose(gradients["w"], 2 / 7 * X.T @ (X @ w - y), rtol=1e-12)
    single, gradients = f(X=np.asfortranarray(X, np.float32), w=w.astype(np.float32), y=y.astype(np.float32))
    assert single.dtype == np.float32 and gradients["w"].dtype == np.float32
    assert single == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": None}, "missing"),
        ({"Q": np.ones(3)}, "no input is called Q"),
        ({"w": np.ones(4)}, "dimension n is 4, but X has 3"),
        ({"X": np.ones((0, 3)), "y": np.ones(0)}, "empty"),
        ({"X": np.ones((7, 3), complex)}, "real"),
    ],
)
def test_bad_arguments_are_refused(change, words):
    values = {"X": np.ones((7, 3)), "w": np.ones(3), "y": np.ones(7)} | change
    with pytest.raises(byhand.DataError, match=words):
        compiled()(**{k: v for k, v in values.items() if v is not None})


def test_long_double_is_computed_in_double():
    rng = np.random.default_rng(0)
    values = {"X": rng.normal(size=(7, 3)), "w": rng.normal(size=3), "y": rng.normal(size=7)}
    run = byhand.derive(byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"})).function("c")
    value, gradients = run(**values)
    long_value, long_gradients = run(**values | {"X": values["X"].astype(np.longdouble)})
    assert long_value == value
    assert long_gradients["w"].dtype == np.float64
    assert np.array_equal(long_gradients["w"], gradients["w"])


def test_a_label_out_of_range_is_refused():
    net = byhand.MLP("4-5-3")
    values = network_values(net, batch=7) | {"y": np.full(7, 3)}
    with pytest.raises(byhand.DataError, match=r"outside 0\.\.2"):
        net.function("c")(**values)


def test_without_a_compiler(monkeypatch):
    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(byhand.ByhandError, match="no-such-compiler") as error:
        compiled()
    assert "apt-get install gcc" in str(error.value) and "pip install 'byhand[c]'" in str(error.value)
    monkeypatch.setenv("CC", "/path with a lone ' in it/cc")
    with pytest.raises(byhand.ByhandError, match="no program here"):
        compiled()
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(byhand.ByhandError, match="no C compiler was found"):
        compiled()
    assert "double value_and_gradients(" in byhand.derive(byhand.parse("sum(w**2)", {"w": "n"})).code(
        "c"
    )  # source needs none
    assert not ENGINES["c"].available


@pytest.mark.parametrize("home", [True, False])
def test_the_wheel_stands_in_for_a_compiler(monkeypatch, tmp_path, home):
    """Where there is no cc, gcc or clang, and even no home where it could keep its library."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    if not home:
        for name in ("HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
    assert compiler_command() == wheel_command()
    value, gradients = compiled(f"sum((X @ w - y)**2)/m + {int(home)}*sum(w)")(
        X=np.eye(3), w=np.arange(3.0), y=np.zeros(3)
    )
    assert value == pytest.approx(5 / 3 + 3 * home) and gradients["w"].shape == (3,)
    assert ENGINES["c"].available


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizes": {"M": 3}}, "no dimension M"),
        ({"sizes": {"m": 0}}, "whole number from 1"),
        ({"sizes": {"m": 2.5}}, "whole number from 1"),
        ({"sizes": {"m": 2**20, "n": 2**20}}, "more entries than an int counts"),
        ({"dtype": "half"}, "'float' or 'double'"),
    ],
)
def test_bad_options_are_refused(options, words):
    derivation = byhand.derive(byhand.parse("sum((X @ w)**2)", {"X": "m n", "w": "n"}), "w")
    with pytest.raises(byhand.ByhandError, match=words):
        derivation.code("c", **options)


HOSTILE = ["double", "λ", "y1", "floor", "w", "p", "forward", "value", "expf", "gamma", "N", "I", "top", "sum_"]


@pytest.mark.parametrize("name", HOSTILE)
def test_awkward_names(name):
    dims = {"X": "k j", name: "j"}
    derivation = byhand.derive(byhand.parse(f"sum(sigmoid(X @ {name})) + norm(X @ {name})", dims))
    rng = np.random.default_rng(0)
    values = {"X": rng.standard_normal((5, 3)), name: rng.standard_normal(3)}
    value, gradients = derivation.function("c")(**values)
    expected, exact = derivation.function("numpy")(**values)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    for n, g in exact.items():
        np.testing.assert_allclose(gradients[n], g, rtol=1e-12)


def test_identifiers_are_new_and_valid():
    ids = CIdentifiers()
    given = [ids.give(w) for w in ("a b", "a b", "λ", "λ", "ℌ", "int", "expf", "", "1")]
    assert len({*given}) == len(given) and all(re.fullmatch(r"[A-Za-z]\w*", g, re.ASCII) for g in given), given


LAYER_NORM = """m = mean(X, axis=1, keepdims=True)
v = mean((X - m)**2, axis=1, keepdims=True)
H = (X - m)/sqrt(v + 0.00001)
sum(R*(H*g + b))"""


def test_layer_norm_and_its_gradients_pass_over_the_rows_once():
    derivation = byhand.derive(byhand.parse(LAYER_NORM, {"X": "N C", "g": "C", "b": "C", "R": "N C"}), ["X", "g", "b"])
    source = str(derivation.code("c"))
    assert len(re.findall(r"i < N; i\+\+", source)) == 1
    assert not re.search(r"\w+\[N \* C\]", source)  # and need no array of all rows


def test_updates_with_signs_are_written_in_c():
    """Lion's update, which is no row of the table: whatever the functions of C have, an update may have."""
    row = Optimizer(
        "lion", ("m",), {"beta": 0.9}, "p = p - lr*sign(beta*m + (1 - beta)*g)\nm = beta*m + (1 - beta)*g", 0.1, "", ""
    )
    update = Update(update_program(row, {}), "float", 7)
    assert "sign(" in "\n".join(update.lines) and update.kernels == {"sign"}
    assert update.lines[-2].strip().startswith(("p[i] =", "m[i] ="))
