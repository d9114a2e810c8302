"""The gradient formulas of the reference texts, as rows: function, shapes, assumptions, listed closed form.

Numbers are those of the checklist the project started from: S0 to S4 are five texts on closed-form gradients of
networks (0 column vectors, 1 matrices by differentials, 2 CS229, 3 batch equations, 4 total derivative).

Left out, because they are no gradient of a function:
- Jacobians and Hessians as tensors: S0.2, S0.3, S1.2, S1.8, S3.11b (Hessian), S4.2. Where a text lists a Jacobian J
  (S0.5, S0.17, S0.19, S0.20, S1.9, S1.26, S2.4, S2.12, S3.2, S4.7, S4.17, S4.20, S4.28, S4.36b, S4.36c), the row here
  is its pullback: the gradient of u @ f(x), u arbitrary, against J.T @ u with the J that is listed.
- Definitions, structure, duties of a derivation: S0.1 (Frechet remainder), S0.4, S0.6 to S0.9, S0.13, S0.25, S0.26,
  S1.1, S1.2, S1.4, S1.6, S1.23, S1.24, S2.1 to S2.3, S2.16 to S2.19, S3.1, S4.2, S4.3, S4.9 to S4.14, S4.16, S4.18,
  S4.19, S4.21, S4.23, S4.30, S4.32, S4.33. S4.22 is S4.24.
- Tools, training, statistics: S0.23, S0.24, S1.36 to S1.39, S2.14, S2.15, S3.13, S3.15, S3.17 to S3.19, S3.21 to S3.23,
  S3.25, S3.26, S4.34; of S0.21 the direction of steepest ascent.
- The audit of the texts' errors (E items).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

SIZES = {  # distinct primes for the names that occur together
    "m": 5, "n": 7, "k": 3, "h": 2, "d": 11, "q": 13, "B": 17,
    "N": 7, "D": 5, "H": 2, "C": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Formula:
    """One listed formula.

    Attributes:
        number: the formula's number, with the variant after a slash.
        text: the scalar function, in the library's syntax.
        shapes: shape of each variable.
        gradients: variable -> listed closed form, NumPy text on variables, intermediates of `text` and `given`.
        given: lines of NumPy text run before the closed forms.
        equals: other texts with the same value and the same gradients.
        differentials: texts, in the library's syntax, that equal the differential of `text` along dX, dY, ...
        assume: properties of variables.
        values: fixed values; all others are drawn.
        holds: NumPy conditions on the gradients g_X, g_Y, ...
        classes: the dimension that labels count.
        sizes: sizes of dimensions that differ from SIZES.
        spread: standard deviation of generic values.
        floor: norm below which errors count as absolute (0: always relative).
    """

    number: str
    text: str
    shapes: Mapping[str, str]
    gradients: Mapping[str, str]
    given: str = ""
    equals: tuple[str, ...] = ()
    differentials: tuple[str, ...] = ()
    assume: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    holds: tuple[str, ...] = ()
    classes: str = "k"
    sizes: Mapping[str, int] = field(default_factory=dict)
    spread: float = 1.0
    floor: float = 0.0


# Derivatives of the activations, as each text writes them: from the pre-activation {z} and the value {a}.
SLOPES = {"relu": "step({z})", "sigmoid": "{a}*(1 - {a})", "tanh": "1 - {a}**2"}


def slope(activation, z, a):
    return "(" + SLOPES[activation].format(z=z, a=a) + ")"


# ---------------------------------------------------------------------- S0: columns, W of shape (outputs, inputs)

GOLDEN = {
    "x": [1.0, 2.0, 3.0],
    "W1": [[0.1, 0.2, 0.3], [0.4, -0.5, -0.1]],
    "W2": [[1.0, -1.0], [0.5, 2.0]],
    "e": [0.0, 1.0],
}
TWO_LAYERS = "z1 = W1 @ x\na1 = relu(z1)\nz2 = W2 @ a1\n"
GOLDEN_SHAPES = {"x": "3", "W1": "2 3", "W2": "2 2", "e": "2"}

S0 = [
    Formula(
        "S0.5",
        "u @ tanh(B @ sin(A @ x))",
        {"u": "k", "B": "k m", "A": "m n", "x": "n"},
        {"x": "(Dg @ Df).T @ u"},
        given="Df = diag(cos(A @ x)) @ A\nDg = diag(1 - tanh(B @ sin(A @ x))**2) @ B",
    ),
    Formula("S0.10", "-(e @ z)", {"e": "k", "z": "k"}, {"z": "-e"}, assume={"e": "one_hot"}),
    Formula(
        "S0.10/network",
        TWO_LAYERS + "-(e @ z2)",
        {"x": "d", "W1": "h d", "W2": "k h", "e": "k"},
        {"W2": "outer(-e, a1)", "W1": "outer((W2.T @ -e)*step(z1), x)"},
        assume={"e": "one_hot"},
        sizes={"h": 7},
    ),
    Formula(
        "S0.10/batch",
        "-sum(Z[arange(m), t])",
        {"Z": "m k", "t": "m"},
        {"Z": "-one_hot(t, k)"},
        assume={"t": "labels"},
    ),
    Formula("S0.11", "-(e @ q)", {"e": "k", "q": "k"}, {"q": "-e"}, assume={"e": "one_hot"}),
    Formula(
        "S0.11/composite",
        "q = log_softmax(z)\n-(e @ q)",
        {"e": "k", "z": "k"},
        {"z": "softmax(z) - e"},
        equals=("logsumexp(z) - e @ z", "-log(e @ softmax(z))"),
        assume={"e": "one_hot"},
    ),
    Formula(
        "S0.12/golden",
        TWO_LAYERS + "logsumexp(z2) - e @ z2",
        GOLDEN_SHAPES,
        {
            "W1": "array([[0.334093886084083, 0.668187772168166, 1.002281658252249], [0, 0, 0]])",
            "W2": "array([[0.9354628810354325, 0], [-0.9354628810354325, 0]])",
        },
        assume={"e": "one_hot"},
        values=GOLDEN,
        holds=("abs(value - 1.1031860488854577) < 1e-15",),
    ),
    Formula(
        "S0.12/golden-closed-form",
        TWO_LAYERS + "logsumexp(z2) - e @ z2",
        GOLDEN_SHAPES,
        {"W1": "outer(d1, x)", "W2": "outer(d2, a1)", "x": "W1.T @ d1"},
        given="d2 = softmax(z2) - e\nd1 = W2.T @ d2*step(z1)",
        assume={"e": "one_hot"},
        values=GOLDEN,
    ),
    Formula(
        "S0.12/golden-logits",
        "a1 = relu(z1)\nz2 = W2 @ a1\nlogsumexp(z2) - e @ z2",
        {"z1": "2", "W2": "2 2", "e": "2"},
        {"z1": "array([0.334093886084083, 0])"},
        assume={"e": "one_hot"},
        values={"z1": [1.4, -0.9], "W2": GOLDEN["W2"], "e": GOLDEN["e"]},
    ),
    Formula(
        "S0.12/golden-raw",
        TWO_LAYERS + "-(e @ z2)",
        GOLDEN_SHAPES,
        {"W1": "array([[-0.5, -1, -1.5], [0, 0, 0]])", "W2": "array([[0, 0], [-1.4, 0]])"},
        assume={"e": "one_hot"},
        values=GOLDEN,
        holds=("abs(value + 0.7) < 1e-15",),
    ),
    Formula("S0.14", "sum(u * relu(z))", {"u": "h", "z": "h"}, {"z": "u*step(z)"}, sizes={"h": 13}),
    Formula(
        "S0.14/at-zero", "u @ relu(z)", {"u": "h", "z": "h"}, {"z": "zeros(h)"}, values={"z": [0.0, 0.0]}, floor=1.0
    ),
    Formula(
        "S0.15",
        "u @ relu(W @ x)",
        {"u": "m", "W": "m n", "x": "n"},
        {"W": "outer(delta, x)"},
        given="delta = u*step(W @ x)",
    ),
    Formula(
        "S0.16",
        "u @ relu(W @ x)",
        {"u": "m", "W": "m n", "x": "n"},
        {"x": "W.T @ delta"},
        given="delta = u*step(W @ x)",
    ),
    Formula(
        "S0.17",
        "u @ softmax(z)",
        {"u": "n", "z": "n"},
        {"z": "(diag(p) - outer(p, p)).T @ u"},
        given="p = softmax(z)",
        holds=("abs(sum(g_z)) < 1e-14",),
    ),
    Formula(
        "S0.17/cases",
        "u @ softmax(z)",
        {"u": "n", "z": "n"},
        {"z": "einsum('ij,i->j', where(eye(n) > 0, p*(1 - p), -outer(p, p)), u)"},
        given="p = softmax(z)",
    ),
    Formula(
        "S0.18", "-log(e @ p)", {"e": "n", "p": "n"}, {"p": "-e/(e @ p)"}, assume={"e": "one_hot", "p": "positive"}
    ),
    Formula(
        "S0.18/through-softmax",
        "p = softmax(z)\n-log(e @ p)",
        {"e": "n", "z": "n"},
        {"z": "p - e"},
        equals=("-sum(e * log(softmax(z)))",),
        assume={"e": "one_hot"},
    ),
    Formula(
        "S0.19",
        "delta @ (W @ x)",
        {"delta": "m", "W": "m n", "x": "n"},
        {"W": "einsum('i,ijk->jk', delta, einsum('ij,k->ijk', eye(m), x))"},
        equals=("einsum('i,ij,j->', delta, W, x)",),
        differentials=("sum(delta * (dW @ x))",),
    ),
    Formula(
        "S0.19/kronecker",
        "delta @ (W @ x)",
        {"delta": "m", "W": "m n", "x": "n"},
        {"W": "(kron(eye(m), x[None, :]).T @ delta).reshape(m, n)"},
    ),
    Formula(
        "S0.20", "delta @ (W @ x)", {"delta": "m", "W": "m n", "x": "n"}, {"x": "W.T @ delta", "W": "outer(delta, x)"}
    ),
    Formula(
        "S0.21",
        "sum(tanh(W)**2) + sum(W**3)/5",
        {"W": "m n"},
        {"W": "2*tanh(W)*(1 - tanh(W)**2) + 3*W**2/5"},
        differentials=("inner(2*tanh(W)*(1 - tanh(W)**2) + 3*W**2/5, dW)",),
    ),
    Formula("S0.27", "-(e @ relu(z))", {"e": "n", "z": "n"}, {"z": "-e*step(z)"}, assume={"e": "one_hot"}, floor=1.0),
    Formula(
        "S0.27/dead",
        "-(e @ relu(z))",
        {"e": "2", "z": "2"},
        {"z": "zeros(2)"},
        assume={"e": "one_hot"},
        values={"e": [1.0, 0.0], "z": [-0.3, 0.5]},
        floor=1.0,
    ),
]

WIDTHS = (7, 13, 3, 11, 5, 17, 2, 19, 23)


def arbitrary_depth(activation, depth):
    """S0.22: x^l = s(W^l x^(l-1) + b^l), softmax cross-entropy on the last layer."""
    lines, given, gradients, shapes = [], [], {"x": "W1.T @ d1"}, {"x": "n0", "e": f"n{depth}"}
    for layer in range(1, depth + 1):
        W, b, z, a, d = (f"{letter}{layer}" for letter in "Wbzad")
        below = "x" if layer == 1 else f"a{layer - 1}"
        shapes |= {W: f"n{layer} n{layer - 1}", b: f"n{layer}"}
        gradients |= {W: f"outer({d}, {below})", b: d}
        lines.append(f"{z} = {W} @ {below} + {b}")
        if layer < depth:
            lines.append(f"{a} = {activation}({z})")
            given.insert(0, f"{d} = (W{layer + 1}.T @ d{layer + 1})*{slope(activation, z, a)}")
        else:
            given.insert(0, f"{d} = softmax({z}) - e")
    return Formula(
        f"S0.22/{activation}-{depth}",
        "\n".join([*lines, f"logsumexp(z{depth}) - e @ z{depth}"]),
        shapes,
        gradients,
        given="\n".join(given),
        assume={"e": "one_hot"},
        sizes={f"n{i}": WIDTHS[(i + depth) % len(WIDTHS)] for i in range(depth + 1)},
        spread=0.3,
    )


S0 += [arbitrary_depth(activation, depth) for activation in SLOPES for depth in range(1, 9)]

# ---------------------------------------------------------------------- S1: rows, W of shape (inputs, outputs)

# Listed derivatives of elementwise functions, in the library's syntax, and the property X must have.
ELEMENTWISE = {
    "exp": ("exp(X)", None),
    "log": ("1/X", "positive"),
    "sqrt": ("0.5/sqrt(X)", "positive"),
    "abs": ("sign(X)", None),
    "sin": ("cos(X)", None),
    "cos": ("-sin(X)", None),
    "tanh": ("1 - tanh(X)**2", None),
    "sigmoid": ("sigmoid(X)*(1 - sigmoid(X))", None),
    "softplus": ("sigmoid(X)", None),
    "relu": ("step(X)", None),
    "leaky_relu": ("where(X > 0, 1, 0.01)", None),
    "elu": ("where(X > 0, 1, exp(X))", None),
    "selu": ("1.0507009873554805*where(X > 0, 1, 1.6732632423543772*exp(X))", None),
    "erf": ("1.1283791670955126*exp(-X**2)", None),
    "gelu": ("0.5*(1 + erf(0.7071067811865476*X)) + 0.3989422804014327*X*exp(-0.5*X**2)", None),
    "silu": ("sigmoid(X)*(1 + X*(1 - sigmoid(X)))", None),
    "square": ("2*X", None),
    "reciprocal": ("-1/X**2", "positive"),
}

RULES = [
    Formula(
        "S1.3",
        "sum(sin(A @ x)**3)",
        {"A": "m n", "x": "n"},
        {"x": "J.T @ (3*sin(A @ x)**2)"},
        given="J = diag(cos(A @ x)) @ A",
    ),
    Formula(
        "S1.5",
        "y = A @ tanh(x)\nsum(exp(y))",
        {"A": "m n", "x": "n"},
        {"x": "(A @ diag(1 - tanh(x)**2)).T @ exp(y)"},
        spread=0.5,
    ),
    Formula(
        "S1.7",
        "sum(tanh(X) @ c) + sum(X**2)",
        {"X": "m n", "c": "n"},
        {"X": "(1 - tanh(X)**2)*c + 2*X"},
        differentials=(
            "trace(((1 - tanh(X)**2)*c + 2*X).T @ dX)",
            "einsum('ij,ij->', (1 - tanh(X)**2)*c + 2*X, dX)",
        ),
    ),
    Formula(
        "S1.9",
        "sum(G * tanh(X @ B))",
        {"G": "m k", "X": "m n", "B": "n k"},
        {"X": "einsum('kl,klij->ij', G, einsum('kl,ki,jl->klij', 1 - tanh(X @ B)**2, eye(m), B))"},
    ),
    Formula(
        "S1.10/plus",
        "sum(G * (X + Y))",
        {"G": "m n", "X": "m n", "Y": "m n"},
        {"X": "G", "Y": "G"},
        differentials=("sum(G * (dX + dY))",),
    ),
    Formula(
        "S1.10/minus",
        "sum(G * (X - Y))",
        {"G": "m n", "X": "m n", "Y": "m n"},
        {"X": "G", "Y": "-G"},
        differentials=("sum(G * (dX - dY))",),
    ),
    Formula(
        "S1.11",
        "sum(G * (X @ Y))",
        {"G": "m k", "X": "m n", "Y": "n k"},
        {"X": "G @ Y.T", "Y": "X.T @ G"},
        differentials=("sum(G * (dX @ Y + X @ dY))", "trace(G.T @ (dX @ Y + X @ dY))"),
    ),
    Formula(
        "S1.11/square",
        "sum(G * (X @ Y))",
        {"G": "n n", "X": "n n", "Y": "n n"},
        {"X": "G @ Y.T", "Y": "X.T @ G"},
        differentials=("sum(G * (dX @ Y + X @ dY))",),
    ),
    Formula("S1.12", "sum(G * X.T)", {"G": "n m", "X": "m n"}, {"X": "G.T"}, differentials=("sum(G * dX.T)",)),
    Formula("S1.13", "trace(X)", {"X": "n n"}, {"X": "eye(n)"}, differentials=("trace(dX)",)),
    Formula(
        "S1.13/product",
        "trace(A @ X)",
        {"A": "n m", "X": "m n"},
        {"X": "A.T"},
        differentials=("trace(A @ dX)",),
    ),
    Formula(
        "S1.14",
        "sum(G * inv(X))",
        {"G": "n n", "X": "n n"},
        {"X": "-inv(X).T @ G @ inv(X).T"},
        differentials=("sum(G * (-inv(X) @ dX @ inv(X)))",),
        assume={"X": "wellcond"},
    ),
    Formula(
        "S1.15",
        "det(X)",
        {"X": "n n"},
        {"X": "det(X)*inv(X).T"},
        differentials=("det(X) * trace(inv(X) @ dX)",),
        assume={"X": "wellcond"},
    ),
    Formula(
        "S1.16",
        "sum(G * (X * Y))",
        {"G": "m n", "X": "m n", "Y": "m n"},
        {"X": "G*Y", "Y": "G*X"},
        differentials=("sum(G * (Y * dX + X * dY))",),
    ),
    Formula(
        "S1.17",
        "sum(G * (X / Y))",
        {"G": "m n", "X": "m n", "Y": "m n"},
        {"X": "G/Y", "Y": "-G*X/Y**2"},
        differentials=("sum(G * ((dX * Y - X * dY) / Y**2))",),
        assume={"Y": "positive"},
    ),
]
RULES += [
    Formula(
        f"S1.18/{name}",
        f"sum(G * {name}(X))",
        {"G": "m n", "X": "m n"},
        {"X": f"G*({derivative})"},
        differentials=(f"sum(G * (({derivative}) * dX))",),
        assume={"X": domain} if domain else {},
    )
    for name, (derivative, domain) in ELEMENTWISE.items()
]

TRACES = [
    Formula(
        "S1.19/scalar",
        "trace(u @ X @ v)",
        {"u": "1 m", "X": "m n", "v": "n 1"},
        {"u": "(X @ v).T", "X": "u.T @ v.T", "v": "(u @ X).T"},
        equals=("sum(u @ X @ v)",),
    ),
    Formula(
        "S1.19/transpose",
        "trace(X @ A)",
        {"X": "m n", "A": "n m"},
        {"X": "A.T", "A": "X.T"},
        equals=("trace((X @ A).T)", "trace(A.T @ X.T)"),
    ),
    Formula(
        "S1.19/sum",
        "trace(X + Y)",
        {"X": "n n", "Y": "n n"},
        {"X": "eye(n)", "Y": "eye(n)"},
        equals=("trace(X) + trace(Y)",),
    ),
    Formula(
        "S1.19/cyclic",
        "trace(X @ Y)",
        {"X": "m n", "Y": "n m"},
        {"X": "Y.T", "Y": "X.T"},
        equals=("trace(Y @ X)",),
    ),
    Formula(
        "S1.19/cyclic-three",
        "trace(X @ Y @ V)",
        {"X": "m n", "Y": "n k", "V": "k m"},
        {"X": "(Y @ V).T", "Y": "(V @ X).T", "V": "(X @ Y).T"},
        equals=("trace(Y @ V @ X)", "trace(V @ X @ Y)"),
    ),
    Formula(
        "S1.19/Hadamard",
        "trace(X.T @ (Y * V))",
        {"X": "m n", "Y": "m n", "V": "m n"},
        {"X": "Y*V", "Y": "X*V", "V": "X*Y"},
        equals=("trace((X * Y).T @ V)",),
    ),
    Formula(
        "S1.20",
        "trace(X.T @ Y)",
        {"X": "m n", "Y": "m n"},
        {"X": "Y", "Y": "X"},
        equals=("sum(X * Y)", "inner(X, Y)", "einsum('ij,ij->', X, Y)"),
    ),
    Formula(
        "S1.21",
        "a @ X @ b",
        {"a": "m", "X": "m n", "b": "n"},
        {"X": "outer(a, b)", "a": "X @ b", "b": "X.T @ a"},
        equals=("trace(outer(b, a) @ X)", "trace(outer(a, b).T @ X)"),
        differentials=("a @ dX @ b + da @ X @ b + a @ X @ db",),
    ),
    Formula(
        "S1.21/columns",
        "sum(a.T @ X @ b)",
        {"a": "m 1", "X": "m n", "b": "n 1"},
        {"X": "a @ b.T", "a": "X @ b", "b": "X.T @ a"},
        equals=("trace(a.T @ X @ b)", "trace(b @ a.T @ X)"),
    ),
    Formula(
        "S1.22",
        "a @ exp(X @ b)",
        {"a": "m", "X": "m n", "b": "n"},
        {"X": "outer(a*exp(X @ b), b)"},
        equals=("trace(outer(exp(X @ b), a))",),
        differentials=("a @ (exp(X @ b) * (dX @ b))", "trace(outer(a * exp(X @ b), b).T @ dX)"),
        spread=0.6,
    ),
    Formula(
        "S1.22/columns",
        "sum(a.T @ exp(X @ b))",
        {"a": "m 1", "X": "m n", "b": "n 1"},
        {"X": "(a*exp(X @ b)) @ b.T"},
        spread=0.6,
    ),
]


def two_layers(activation):
    """S1.24 to S1.35 on a batch, integer labels; every intermediate has its turn as the variable."""
    forward = {
        "Z1": "Z1 = X @ W1 + b1",
        "H1": f"H1 = {activation}(Z1)",
        "Z2": "Z2 = H1 @ W2 + b2",
        "P": "P = softmax(Z2, axis=1)",
        "Y": "Y = one_hot(t, C)",
    }
    shapes = {
        "X": "N D",
        "W1": "D H",
        "b1": "H",
        "Z1": "N H",
        "H1": "N H",
        "W2": "H C",
        "b2": "C",
        "Z2": "N C",
        "t": "N",
    }
    loss = "-sum(Y * log(P)) / N"
    given = [
        "dZ2 = (P - Y)/N",
        "dH1 = dZ2 @ W2.T",
        f"dZ1 = dH1*{slope(activation, 'Z1', 'H1')}",
    ]

    def row(number, start, names, gradients, last=loss, lines=3, more="", **options):
        body = [line for name, line in forward.items() if list(forward).index(name) >= start]
        return Formula(
            f"{number}/{activation}",
            "\n".join([*body, last]),
            {name: (shapes | {"lam": ""})[name] for name in names.split()},
            gradients,
            given="\n".join([*given[:lines], more]),
            assume={"t": "labels"} | ({"lam": "positive"} if "lam" in names.split() else {}),
            classes="C",
            **options,
        )

    penalty = "lam * (sum(W1**2) + sum(W2**2))"
    everything = "X W1 b1 W2 b2 t"
    rest = "\n".join(list(forward.values())[:3])
    return [
        row("S1.25", 0, everything, {"W1": "X.T @ dZ1", "W2": "H1.T @ dZ2"}, equals=(
            f"{rest}\nP = softmax(Z2, axis=1)\n-sum(log(P[arange(N), t])) / N",
            f"{rest}\nP = softmax(Z2, axis=1)\nY = one_hot(t, C)\n-trace(Y.T @ log(P)) / N",
            f"{rest}\nmean(cross_entropy(Z2, t))",
            f"{rest}\nsum(logsumexp(Z2, axis=1) - Z2[arange(N), t]) / N",
        )),
        row("S1.27", 3, "Z2 t", {"Z2": "dZ2"}, lines=1),
        row("S1.28", 2, "H1 W2 b2 t", {"W2": "H1.T @ dZ2"}, lines=1),
        row("S1.29", 2, "H1 W2 b2 t", {"b2": "ones(N) @ dZ2"}, lines=1),
        row("S1.29/mean", 2, "H1 W2 b2 t", {"b2": "mean(P - Y, axis=0)"}, lines=1),
        row("S1.30", 2, "H1 W2 b2 t", {"H1": "dH1"}, lines=2),
        row("S1.31", 1, "Z1 W2 b2 t", {"Z1": "dZ1"}),
        row("S1.32", 0, everything, {"W1": "X.T @ dZ1"}),
        row("S1.33", 0, everything, {"b1": "ones(N) @ dZ1"}),
        row("S1.35", 0, everything, {"X": "dZ1 @ W1.T"}),
        row("S1.34", 0, everything + " lam", {
            "W1": "X.T @ dZ1 + 2*lam*W1", "b1": "ones(N) @ dZ1", "W2": "H1.T @ dZ2 + 2*lam*W2", "b2": "ones(N) @ dZ2",
        }, last=f"{loss} + {penalty}"),
        row("S1.34/labels", 0, everything + " lam", {
            "W1": "X.T @ dZ1 + 2*lam*W1", "b1": "ones(N) @ dZ1", "W2": "H1.T @ dZ2 + 2*lam*W2", "b2": "ones(N) @ dZ2",
        }, last=f"mean(cross_entropy(Z2, t)) + {penalty}"),
    ]  # fmt: skip


SOFTMAX_ROWS = [
    Formula(
        "S1.26",
        "sum(G * softmax(Z, axis=1))",
        {"G": "N C", "Z": "N C"},
        {"Z": "einsum('ij,ijk->ik', G, P[:, :, None]*(eye(C)[None, :, :] - P[:, None, :]))"},
        given="P = softmax(Z, axis=1)",
    ),
    Formula(
        "S1.26/log",
        "P = softmax(Z, axis=1)\n-sum(Y * log(P)) / N",
        {"Y": "N C", "Z": "N C"},
        {"Z": "einsum('ij,ijk->ik', -Y/P/N, P[:, :, None]*(eye(C)[None, :, :] - P[:, None, :]))"},
        assume={"Y": "simplexrows"},
    ),
    Formula(
        "S1.27/probabilities",
        "P = softmax(Z, axis=1)\n-sum(Y * log(P)) / N",
        {"Y": "N C", "Z": "N C"},
        {"Z": "(P - Y)/N"},
        equals=("mean(cross_entropy(Z, Y))", "-sum(Y * log_softmax(Z, axis=1)) / N"),
        assume={"Y": "simplexrows"},
    ),
    Formula(
        "S1.27/one-hot",
        "P = softmax(Z, axis=1)\n-sum(Y * log(P)) / N",
        {"Y": "N C", "Z": "N C"},
        {"Z": "(P - Y)/N"},
        equals=("-mean(log(sum(Y * softmax(Z, axis=1), axis=1)))",),
        assume={"Y": "one_hot"},
    ),
    Formula(
        "S1.27b",
        "P = softmax(Z, axis=1)\n-sum(Y * log(P)) / N",
        {"Y": "N C", "Z": "N C"},
        {"Z": "(sum(Y, axis=1, keepdims=True)*P - Y)/N"},
    ),
]

NORMALISED = "Xhat = (X - mu) / sqrt(V + 0.00001)\nY = gamma * Xhat + beta\nsum(G * Y)"
BATCH_NORM = [
    Formula(
        f"S1.40/{variant}",
        f"{statistics}\n{NORMALISED}",
        {"X": "N D", "gamma": "D", "beta": "D", "G": "N D"},
        {
            "beta": "ones(N) @ G",
            "gamma": "ones(N) @ (G*Xhat)",
            "X": "(dXhat - ones((N, N)) @ dXhat/N - Xhat*(ones((N, N)) @ (dXhat*Xhat)/N))/sqrt(V + 0.00001)",
        },
        given="dXhat = G*gamma",
    )
    for variant, statistics in {
        "sum": "mu = sum(X, axis=0) / N\nV = sum((X - mu)**2, axis=0) / N",
        "mean": "mu = mean(X, axis=0)\nV = mean((X - mu)**2, axis=0)",
        "keepdims": "mu = mean(X, axis=0, keepdims=True)\nV = mean(square(X - mu), axis=0, keepdims=True)",
        "product": "mu = ones(N) @ X / N\nV = ones(N) @ (X - mu)**2 / N",
    }.items()
]

S1 = [*RULES, *TRACES, *SOFTMAX_ROWS, *(row for name in SLOPES for row in two_layers(name)), *BATCH_NORM]

# ---------------------------------------------------------------------- S2: columns, W of shape (inputs, outputs)

CS229 = ["z1 = W1.T @ x + b1", "a1 = sigmoid(z1)", "z2 = W2.T @ a1 + b2", "yhat = softmax(z2)", "-sum(y * log(yhat))"]
CS229_SHAPES = {"x": "d", "W1": "d h", "b1": "h", "z1": "h", "a1": "h", "W2": "h k", "b2": "k", "z2": "k", "y": "k"}
CS229_GIVEN = ["d2 = yhat - y", "d1 = (W2 @ d2)*a1*(1 - a1)"]


def cs229(number, start, names, gradients, lines=2):
    return Formula(
        number,
        "\n".join(CS229[start:]),
        {name: CS229_SHAPES[name] for name in [*names.split(), "y"]},
        gradients,
        given="\n".join(CS229_GIVEN[:lines]),
        assume={"y": "one_hot"},
        sizes={"h": 7},
        spread=0.7,
    )


S2 = [
    Formula(
        "S2.4",
        "u @ sigmoid(z)",
        {"u": "h", "z": "h"},
        {"z": "diag(a*(1 - a)) @ u"},
        given="a = sigmoid(z)",
        sizes={"h": 7},
    ),
    Formula(
        "S2.4/extreme",
        "u @ sigmoid(z)",
        {"u": "3", "z": "3"},
        {"z": "array([0, 0.25, 0])"},
        values={"u": [1.0, 1.0, 1.0], "z": [1000.0, 0.0, -1000.0]},
    ),
    cs229("S2.5", 3, "z2", {"z2": "d2"}, lines=1),
    cs229("S2.6", 2, "a1 W2 b2", {"W2": "outer(a1, d2)"}, lines=1),
    cs229("S2.7", 2, "a1 W2 b2", {"b2": "d2"}, lines=1),
    cs229("S2.8", 2, "a1 W2 b2", {"a1": "W2 @ d2"}, lines=1),
    cs229("S2.9", 1, "z1 W2 b2", {"z1": "d1"}),
    cs229("S2.10", 0, "x W1 b1 W2 b2", {"W1": "outer(x, d1)"}),
    cs229("S2.11", 0, "x W1 b1 W2 b2", {"b1": "d1"}),
    cs229("S2.11b", 0, "x W1 b1 W2 b2", {"x": "W1 @ d1"}),
    Formula(
        "S2.10/columns",
        "z1 = W1.T @ x + b1\na1 = sigmoid(z1)\nz2 = W2.T @ a1 + b2\nyhat = softmax(z2, axis=0)\n-sum(y * log(yhat))",
        {"x": "d 1", "W1": "d h", "b1": "h 1", "W2": "h k", "b2": "k 1", "y": "k 1"},
        {"W1": "x @ d1.T", "b1": "d1", "W2": "a1 @ d2.T", "b2": "d2", "x": "W1 @ d1"},
        given="\n".join(CS229_GIVEN),
        values={"y": [[0.0], [1.0], [0.0]]},
        sizes={"h": 7},
        spread=0.7,
    ),
    Formula(
        "S2.12",
        "u @ (W2.T @ a1 + b2)",
        {"u": "k", "W2": "h k", "a1": "h", "b2": "k"},
        {
            "W2": "einsum('c,cij->ij', u, einsum('i,cj->cij', a1, eye(k)))",
            "b2": "eye(k).T @ u",
            "a1": "(W2.T).T @ u",
        },
        sizes={"h": 7},
    ),
    Formula(
        "S2.13",
        "Z1 = X @ W1 + b1\nA1 = sigmoid(Z1)\nZ2 = A1 @ W2 + b2\nmean(cross_entropy(Z2, t))",
        {"X": "B d", "W1": "d h", "b1": "h", "W2": "h k", "b2": "k", "t": "B"},
        {"W2": "A1.T @ D2/B", "b2": "mean(D2, axis=0)", "W1": "X.T @ D1/B", "b1": "mean(D1, axis=0)"},
        given="D2 = softmax(Z2, axis=1) - one_hot(t, k)\nD1 = (D2 @ W2.T)*A1*(1 - A1)",
        assume={"t": "labels"},
        sizes={"h": 7},
        spread=0.7,
    ),
]

# ---------------------------------------------------------------------- S3: batch equations

S3_LOSS = "y = tanh(z)\nP = softmax(y, axis=1)\n-sum(log(P[arange(B), t])) / B"
S3_NET = f"z = x @ w + b\n{S3_LOSS}"
S3_SHAPES = {"x": "B d", "w": "d n", "b": "n", "t": "B"}
S3_GIVEN = "dy = -(one_hot(t, n) - P)/B\ndz = dy*(1 - y**2)"


def batch_equation(number, text, shapes, gradients, **options):
    return Formula(
        number, text, shapes, gradients, given=S3_GIVEN, assume={"t": "labels"}, classes="n", spread=0.5, **options
    )


S3 = [
    Formula(
        "S3.2",
        "z = x @ W\ny = softmax(z)\nsum(u * y)",
        {"x": "n", "W": "n m", "u": "m"},
        {"x": "W @ dz", "W": "outer(x, dz)"},
        given="J = diag(y) - outer(y, y)\ndz = u @ J",
    ),
    Formula(
        "S3.2/batch",
        "Z = X @ W1 + b1\nY = softmax(Z, axis=1)\nS = Y @ W2\nmean(cross_entropy(S, t))",
        {"X": "B d", "W1": "d h", "b1": "h", "W2": "h k", "t": "B"},
        {"X": "dZ @ W1.T", "W1": "X.T @ dZ", "b1": "ones(B) @ dZ", "W2": "Y.T @ dS"},
        given="dS = (softmax(S, axis=1) - one_hot(t, k))/B\ndY = dS @ W2.T\n"
        "J = einsum('bk,kj->bkj', Y, eye(h)) - einsum('bk,bj->bkj', Y, Y)\ndZ = einsum('bk,bkj->bj', dY, J)",
        assume={"t": "labels"},
        sizes={"h": 7},
    ),
    Formula(
        "S3.3",
        "z = x @ W + b\nu @ tanh(z)",
        {"x": "d", "W": "d n", "b": "n", "u": "n"},
        {"x": "einsum('j,ij->i', dz, W)"},
        given="dz = u*(1 - tanh(z)**2)",
        spread=0.5,
    ),
    Formula(
        "S3.5",
        "z = x @ W + b\nu @ tanh(z)",
        {"x": "d", "W": "d n", "b": "n", "u": "n"},
        {"W": "einsum('i,j->ij', x, dz)"},
        given="dz = u*(1 - tanh(z)**2)",
        spread=0.5,
    ),
    Formula(
        "S3.6",
        "z = x @ W + b\nu @ tanh(z)",
        {"x": "d", "W": "d n", "b": "n", "u": "n"},
        {"b": "u*(1 - tanh(z)**2)"},
        spread=0.5,
    ),
    *(
        Formula(
            f"S3.4/{name}",
            f"y = {name}(z)\nu @ y" if name != "identity" else "u @ z",
            {"z": "n", "u": "n"},
            {"z": derivative},
        )
        for name, derivative in {
            "relu": "u*step(z)",
            "tanh": "u*(1 - y**2)",
            "sigmoid": "u*y*(1 - y)",
            "identity": "u",
        }.items()
    ),
    batch_equation("S3.7/2", S3_LOSS, {"z": "B n", "t": "B"}, {"z": "dz"}),
    batch_equation("S3.7/3", S3_NET, S3_SHAPES, {"x": "dz @ w.T"}),
    batch_equation("S3.7/4", S3_NET, S3_SHAPES, {"w": "x.T @ dz"}),
    batch_equation("S3.7/5", S3_NET, S3_SHAPES, {"b": "ones(B) @ dz"}),
    batch_equation("S3.7/5-row", S3_NET, S3_SHAPES | {"b": "1 n"}, {"b": "ones((1, B)) @ dz"}),
    Formula(
        "S3.7/any-loss",
        "z = x @ w + b\nsum(G * tanh(z))",
        {"x": "B d", "w": "d n", "b": "n", "G": "B n"},
        {"x": "dz @ w.T", "w": "x.T @ dz", "b": "ones(B) @ dz"},
        given="dz = G*(1 - tanh(z)**2)",
        spread=0.5,
    ),
    Formula(
        "S3.8",
        "-log(e @ softmax(s))",
        {"e": "n", "s": "n"},
        {"s": "softmax(s) - e"},
        equals=("-(e @ s) + log(sum(exp(s)))", "-(e @ s) + logsumexp(s)"),
        assume={"e": "one_hot"},
    ),
    Formula(
        "S3.9",
        "-(e @ s) + log(sum(exp(s)))",
        {"e": "n", "s": "n"},
        {"s": "where(e > 0, p - 1, p)"},
        given="p = exp(s)/sum(exp(s))",
        assume={"e": "one_hot"},
    ),
    Formula(
        "S3.10",
        "-sum(log(softmax(S, axis=1)[arange(B), t])) / B",
        {"S": "B k", "t": "B"},
        {"S": "-(one_hot(t, k) - softmax(S, axis=1))/B"},
        equals=("mean(cross_entropy(S, t))", "mean(logsumexp(S, axis=1) - S[arange(B), t])"),
        assume={"t": "labels"},
    ),
    Formula(
        "S3.11",
        "mean(cross_entropy(S, t))",
        {"S": "B k", "t": "B"},
        {"S": "(softmax(S, axis=1) - one_hot(t, k))/B"},
        assume={"t": "labels"},
        holds=("abs(sum(g_S, axis=1)).max() < 1e-16",),
    ),
    Formula(
        "S3.11/shift",
        "u @ softmax(s + c)",
        {"u": "n", "s": "n", "c": ""},
        {"c": "0.0", "s": "p*(u - u @ p)"},
        given="p = softmax(s)",
        floor=1.0,
    ),
    Formula(
        "S3.12/confidently-wrong",
        "logsumexp(s) - e @ s",
        {"s": "3", "e": "3"},
        {"s": "array([-1, 1, 0])"},
        assume={"e": "one_hot"},
        values={"s": [0.0, 40.0, 0.0], "e": [1.0, 0.0, 0.0]},
    ),
    Formula(
        "S3.12/confidently-right",
        "logsumexp(s) - e @ s",
        {"s": "3", "e": "3"},
        {"s": "zeros(3)"},
        assume={"e": "one_hot"},
        values={"s": [0.0, 40.0, 0.0], "e": [0.0, 1.0, 0.0]},
        floor=1.0,
    ),
    Formula(
        "S3.12/bounds",
        "logsumexp(s) - e @ s",
        {"s": "n", "e": "n"},
        {"s": "softmax(s) - e"},
        assume={"e": "one_hot"},
        holds=("abs(g_s).max() <= 1", "abs(abs(g_s).sum() - 2*(1 - e @ softmax(s))) < 1e-14"),
    ),
    Formula(
        "S3.14",
        "z = (alpha * x) @ v + b\ny = tanh(z)\nmean(cross_entropy(y, t))",
        {"x": "B d", "v": "d n", "b": "n", "alpha": "", "t": "B"},
        {"v": "alpha*(x.T @ dz)"},
        given="dy = (softmax(y, axis=1) - one_hot(t, n))/B\ndz = dy*(1 - y**2)",
        equals=("z = x @ (alpha * v) + b\ny = tanh(z)\nmean(cross_entropy(y, t))",),
        assume={"t": "labels", "alpha": "positive"},
        classes="n",
        spread=0.5,
    ),
    Formula(
        "S3.16",
        "-sum(f * log_softmax(s))",
        {"f": "n", "s": "n"},
        {"s": "softmax(s) - f"},
        assume={"f": "simplexrows"},
    ),
    Formula(
        "S3.16/minimum",
        "-sum(f * log(softmax(s)))",
        {"f": "3", "s": "3"},
        {"s": "zeros(3)"},
        assume={"f": "simplexrows"},
        values={"f": [0.6, 0.3, 0.1], "s": [-0.5108256237659907, -1.2039728043259361, -2.302585092994046]},
        holds=("abs(value + f @ log(f)) < 1e-15",),
        floor=1.0,
    ),
    Formula(
        "S3.20",
        "mean(cross_entropy(S, t))",
        {"S": "B k", "t": "B"},
        {"S": "(softmax(S, axis=1) - one_hot(t, k))/B"},
        assume={"t": "labels"},
        holds=(
            "(g_S.argmin(axis=1) == t).all()",
            "((g_S < 0) == (one_hot(t, k) > 0)).all()",
            "abs(abs(g_S).sum(axis=1) - 2*(1 - softmax(S, axis=1)[arange(B), t])/B).max() < 1e-15",
        ),
    ),
    Formula(
        "S3.24",
        "z = 0.2*x + 0.1 - x\nq = relu(z) + z*tanh(x)\nh = relu(z**2)\ntanh(-h + q + q*x)",
        {"x": ""},
        {"x": "(1 - y**2)*(-dh + dq + dq*x + q)"},
        given="y = tanh(-h + q + q*x)\ndz = 0.2 - 1\ndq = step(z)*dz + dz*tanh(x) + z*(1 - tanh(x)**2)\ndh = 2*z*dz",
    ),
    Formula(
        "S3.24/golden",
        "z = 0.2*x + 0.1 - x\nq = relu(z) + z*tanh(x)\nh = relu(z**2)\ntanh(-h + q + q*x)",
        {"x": ""},
        {"x": "(1 - y**2)*(-dh + dq + dq*x + q)"},
        given="y = tanh(-h + q + q*x)\ndz = 0.2 - 1\ndq = step(z)*dz + dz*tanh(x) + z*(1 - tanh(x)**2)\ndh = 2*z*dz",
        values={"x": -0.4},
    ),
]

# ---------------------------------------------------------------------- S4: rows, W of shape (outputs, inputs)

IRIS = [
    "z1 = x @ W1.T + b1",
    "a1 = relu(z1)",
    "z2 = a1 @ W2.T + b2",
    "a2 = softmax(z2, axis=1)",
    "-sum(y * log(a2))",
]
IRIS_SHAPES = {
    "x": "1 d", "W1": "h d", "b1": "1 h", "z1": "1 h", "a1": "1 h", "W2": "k h", "b2": "1 k", "z2": "1 k", "y": "1 k",
}  # fmt: skip
IRIS_GIVEN = ["dz2 = a2 - y", "dz1 = (dz2 @ W2)*step(z1)"]


def iris(number, start, names, gradients, lines=2, **options):
    return Formula(
        number,
        "\n".join(IRIS[start:]),
        {name: IRIS_SHAPES[name] for name in [*names.split(), "y"]},
        gradients,
        given="\n".join(IRIS_GIVEN[:lines]),
        assume={"y": "one_hot"},
        sizes={"h": 7},
        spread=0.7,
        **options,
    )


TOTAL = "x = sin(t)\ny = t**2\n"

S4 = [
    Formula("S4.1", "2*x*y**3", {"x": "", "y": ""}, {"x": "2*y**3", "y": "6*x*y**2"}),
    Formula(
        "S4.4",
        TOTAL + "2*x*y**3",
        {"t": ""},
        {"t": "2*y**3*cos(t) + 6*x*y**2*(2*t)"},
        values={"t": 0.8},
    ),
    Formula(
        "S4.5",
        "x = sin(t)\n2*x*y**3",
        {"t": "", "y": ""},
        {"t": "2*y**3*cos(t)"},
    ),
    Formula(
        "S4.6",
        TOTAL + "t*2*x*y**3",
        {"t": ""},
        {"t": "2*x*y**3 + t*(2*y**3*cos(t) + 6*x*y**2*(2*t))"},
        values={"t": 0.8},
    ),
    Formula(
        "S4.7",
        "u = sin(a*t)\nc @ tanh(B @ u)",
        {"a": "n", "t": "", "B": "m n", "c": "m"},
        {"t": "c @ (diag(1 - tanh(B @ u)**2) @ B @ (a*cos(a*t)))"},
    ),
    Formula("S4.8", "x + x**2", {"x": ""}, {"x": "1 + 2*x"}),
    *(
        Formula(f"S4.15/{name}", f"a = {name}(z)\nu @ a", {"u": "n", "z": "n"}, {"z": f"u*({derivative})"})
        for name, derivative in {
            "sigmoid": "a*(1 - a)",
            "tanh": "1 - a**2",
            "relu": "step(a)",
            "exp": "a",
            "softplus": "1 - exp(-a)",
        }.items()
    ),
    iris(
        "S4.17b",
        0,
        "x W1 b1 W2 b2",
        {"W1": "einsum('bo,oj,bj,bi->ji', dz2, W2, step(z1), x)"},
    ),
    Formula(
        "S4.17",
        "einsum('bi,bi->', u, a @ W.T)",
        {"u": "1 k", "a": "1 n", "W": "k n"},
        {"W": "einsum('i,ijk->jk', u[0], einsum('ij,k->ijk', eye(k), a[0]))"},
    ),
    Formula("S4.20", "u @ (W @ a)", {"u": "k", "W": "k n", "a": "n"}, {"W": "diag(u) @ outer(ones(k), a)"}),
    iris("S4.24", 2, "a1 W2 b2", {"W2": "dz2.T @ a1"}, lines=1),
    iris("S4.24/outer", 2, "a1 W2 b2", {"W2": "outer(dz2, a1)"}, lines=1),
    iris("S4.25", 2, "a1 W2 b2", {"W2": "einsum('bi,bj->ij', dz2, a1)"}, lines=1),
    Formula(
        "S4.26",
        "Z = X @ W.T\nsum(tanh(Z)**2)",
        {"X": "m d", "W": "n d"},
        {"W": "delta.T @ X"},
        given="delta = 2*tanh(Z)*(1 - tanh(Z)**2)",
        spread=0.4,
    ),
    Formula(
        "S4.26/copies",
        "Z = X @ W.T\nsum(tanh(Z)**2)",
        {"X": "m d", "W": "n d"},
        {"W": "sum(einsum('bi,bj->bij', delta, X), axis=0)"},
        given="delta = 2*tanh(Z)*(1 - tanh(Z)**2)",
        spread=0.4,
    ),
    iris("S4.27", 3, "z2", {"z2": "a2 - y"}, lines=0),
    Formula("S4.28", "sum(u * (a @ W.T))", {"u": "1 k", "a": "1 n", "W": "k n"}, {"a": "u @ W"}),
    iris("S4.29", 2, "a1 W2 b2", {"a1": "einsum('bi,ij->bj', dz2, W2)"}, lines=1),
    iris("S4.31", 0, "x W1 b1 W2 b2", {"W1": "dz1.T @ x", "b1": "dz1", "W2": "dz2.T @ a1", "b2": "dz2"}),
    iris("S4.31/z", 1, "z1 W2 b2", {"z1": "(dz2 @ W2)*step(z1)"}),
    iris("S4.35", 2, "a1 W2 b2", {"W2": "outer(dz2, a1)"}, lines=1, holds=("matrix_rank(g_W2) == 1",)),
    Formula("S4.36a", "y = x**2\nx + y", {"x": ""}, {"x": "1 + 2*x"}),
    Formula("S4.36b/plus", "u @ (w + x)", {"u": "n", "w": "n", "x": "n"}, {"w": "eye(n).T @ u"}),
    Formula("S4.36b/minus", "u @ (w - x)", {"u": "n", "w": "n", "x": "n"}, {"w": "eye(n).T @ u", "x": "-eye(n).T @ u"}),
    Formula(
        "S4.36b/times", "u @ (w * x)", {"u": "n", "w": "n", "x": "n"}, {"w": "diag(x).T @ u", "x": "diag(w).T @ u"}
    ),
    Formula(
        "S4.36b/over",
        "u @ (w / x)",
        {"u": "n", "w": "n", "x": "n"},
        {"w": "diag(1/x).T @ u", "x": "diag(-w/x**2).T @ u"},
        assume={"x": "positive"},
    ),
    Formula("S4.36c/plus", "u @ (x + z)", {"u": "n", "x": "n", "z": ""}, {"x": "u", "z": "ones(n) @ u"}),
    Formula("S4.36c/times", "u @ (x * z)", {"u": "n", "x": "n", "z": ""}, {"x": "(z*eye(n)).T @ u", "z": "x @ u"}),
    Formula("S4.36c/sum", "sum(x)", {"x": "n"}, {"x": "ones(n)"}),
    Formula(
        "S4.36d",
        "act = relu(X @ w + b)\nmean((act - y)**2)",
        {"X": "N D", "w": "D", "b": "", "y": "N"},
        {"w": "2/N*(X.T @ (on*e))", "b": "2/N*sum(on*e)"},
        given="on = step(X @ w + b)\ne = X @ w + b - y",
    ),
    Formula(
        "S4.36d/max",
        "z = X @ w + b\nact = where(z > 0, z, 0)\nsum((y - act)**2) / N",
        {"X": "N D", "w": "D", "b": "", "y": "N"},
        {"w": "2/N*sum(on*e*X.T, axis=1)", "b": "2/N*sum(on*e)"},
        given="on = step(X @ w + b)\ne = X @ w + b - y",
    ),
]

# ---------------------------------------------------------------------- one network in the four conventions

X1 = [
    Formula(
        "X.1/column-outputs-inputs",
        "z1 = W1 @ x\na1 = tanh(z1)\nz2 = W2 @ a1\nlogsumexp(z2) - e @ z2",
        {"x": "d", "W1": "h d", "W2": "k h", "e": "k"},
        {"W1": "outer(d1, x)", "W2": "outer(d2, a1)", "x": "W1.T @ d1"},
        given="d2 = softmax(z2) - e\nd1 = (W2.T @ d2)*(1 - a1**2)",
        assume={"e": "one_hot"},
        sizes={"h": 7},
    ),
    Formula(
        "X.1/row-inputs-outputs",
        "z1 = x @ W1\na1 = tanh(z1)\nz2 = a1 @ W2\nsum(cross_entropy(z2, y))",
        {"x": "1 d", "W1": "d h", "W2": "h k", "y": "1 k"},
        {"W1": "x.T @ d1", "W2": "a1.T @ d2", "x": "d1 @ W1.T"},
        given="d2 = softmax(z2) - y\nd1 = (d2 @ W2.T)*(1 - a1**2)",
        assume={"y": "one_hot"},
        sizes={"h": 7},
    ),
    Formula(
        "X.1/column-inputs-outputs",
        "z1 = W1.T @ x\na1 = tanh(z1)\nz2 = W2.T @ a1\nlogsumexp(z2) - e @ z2",
        {"x": "d", "W1": "d h", "W2": "h k", "e": "k"},
        {"W1": "outer(x, d1)", "W2": "outer(a1, d2)", "x": "W1 @ d1"},
        given="d2 = softmax(z2) - e\nd1 = (W2 @ d2)*(1 - a1**2)",
        assume={"e": "one_hot"},
        sizes={"h": 7},
    ),
    Formula(
        "X.1/row-outputs-inputs",
        "z1 = x @ W1.T\na1 = tanh(z1)\nz2 = a1 @ W2.T\nsum(cross_entropy(z2, y))",
        {"x": "1 d", "W1": "h d", "W2": "k h", "y": "1 k"},
        {"W1": "d1.T @ x", "W2": "d2.T @ a1", "x": "d1 @ W1"},
        given="d2 = softmax(z2) - y\nd1 = (d2 @ W2)*(1 - a1**2)",
        assume={"y": "one_hot"},
        sizes={"h": 7},
    ),
]

FORMULAS = [*S0, *S1, *S2, *S3, *S4, *X1]
