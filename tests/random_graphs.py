"""Random losses, each as a text and as NumPy functions, with right gradients by complex step and wrong ones; no code of
the library.

python tests/random_graphs.py [HOW_MANY [FIRST]]    checks so many graphs and counts what went wrong
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

STEP = 1e-25


def softmax(z, axis):
    e = np.exp(z - np.max(np.real(z), axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(z, axis):
    z = z - np.max(np.real(z), axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: z * (np.real(z) > 0),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "sin": np.sin,
}


@dataclass
class Node:
    """A line `name = text` of a loss, and its value from the values above it."""

    name: str
    text: str
    value: object
    kind: str
    above: tuple[str, ...]


@dataclass
class Graph:
    """A random loss.

    `columns`: samples are columns. `inputs`: name -> (shape, value). `nodes`: in order; the last one is the loss.
    """

    rng: np.random.Generator
    columns: bool = False
    inputs: dict = field(default_factory=dict)
    nodes: list = field(default_factory=list)
    sizes: dict = field(default_factory=dict)

    def dim(self):
        """A new dimension with a size that no other has."""
        name = "nmkdpqrstuv"[len(self.sizes)]
        free = [s for s in (2, 3, 4, 5, 6, 7, 8, 9) if s not in self.sizes.values()]
        self.sizes[name] = int(self.rng.choice(free)) if free else 2
        return name

    def input(self, name, *dims):
        shape = tuple(self.sizes.get(d, d) for d in dims)
        name = f"{name}{sum(n.startswith(name) for n in self.inputs) or ''}"
        self.inputs[name] = (
            " ".join(map(str, dims)),
            self.rng.standard_normal(shape) / max(1, shape[0] if shape else 1) ** 0.5,
        )
        return name

    def node(self, kind, text, value, *above):
        """A named intermediate; `value` takes the values above it in order."""
        name = f"A{len(self.nodes)}"
        self.nodes.append(Node(name, text, value, kind, above))
        return name

    # ---- values

    def run(self, values, tampered=None, moved=None):
        """The value of the loss; `tampered`: node -> the function instead of its own; `moved`: node -> what is added."""
        known = dict(values)
        for n in self.nodes:
            v = (tampered or {}).get(n.name, n.value)(*(known.get(a, 0.0) for a in n.above))
            if moved and n.name in moved:
                v = v + moved[n.name]
            known[n.name] = v
        return known[self.nodes[-1].name], known

    def gradient(self, values, wrt, tampered=None):
        """The gradient entry by entry, by complex step; wrong where a derivative was tampered with."""
        found = {}
        for name in wrt:
            g = np.zeros(np.shape(values[name]))
            for i in np.ndindex(g.shape):
                v = np.array(values[name], dtype=complex)
                v[i] += 1j * STEP
                g[i] = np.imag(self.run({**values, name: v}, tampered)[0]) / STEP
            found[name] = g
        return found

    def adjoint(self, values, node):
        """The right adjoint of an intermediate."""
        shape = np.shape(self.run(values)[1][node])
        g = np.zeros(shape)
        for i in np.ndindex(shape):
            e = np.zeros(shape, dtype=complex)
            e[i] = 1j * STEP
            g[i] = np.imag(self.run(values, moved={node: e})[0]) / STEP
        return g

    @property
    def text(self):
        return "\n".join(f"{n.name} = {n.text}" for n in self.nodes)

    @property
    def used(self):
        """The names that occur."""
        return set(re.findall(r"\w+", " ".join(n.text for n in self.nodes)))

    @property
    def shapes(self):
        return {n: s for n, (s, _) in self.inputs.items()}

    @property
    def values(self):
        return {n: v for n, (_, v) in self.inputs.items()}


def random_graph(seed):
    """A loss of one to four steps on a matrix of samples, or, one in three, of vectors and square matrices."""
    rng = np.random.default_rng((11, seed))
    g = Graph(rng, columns=bool(rng.integers(2)))
    if rng.integers(3) == 0:
        return of_matrices(g)
    n, d = g.dim(), g.dim()
    h = g.input("X", *((d, n) if g.columns else (n, d)))
    shape = [n, d]  # samples, features
    for _ in range(int(rng.integers(1, 5))):
        h = STEPS[int(rng.integers(len(STEPS)))](g, h, shape)
    LOSSES[int(rng.integers(len(LOSSES)))](g, h, shape)
    return g


def of_matrices(g):
    """Products, inverses, determinants, traces and norms of two square matrices and two vectors."""
    d = g.dim()
    a, b, x, y = (g.input(*i) for i in (("M", d, d), ("N", d, d), ("x", d), ("z", d)))
    size = g.sizes[d]
    for m in (a, b):
        g.inputs[m] = (g.inputs[m][0], g.inputs[m][1] + 3 * np.eye(size))
    matrices = {
        f"{a} @ {b}": lambda A, B, x, y: A @ B,
        f"{a}.T @ {a} + {b}": lambda A, B, x, y: A.T @ A + B,
        f"inv({a}) @ {b}.T": lambda A, B, x, y: np.linalg.inv(A) @ B.T,
        f"inv({a}) @ {a}.T": lambda A, B, x, y: np.linalg.inv(A) @ A.T,
        f"{a} + outer({x}, {y})": lambda A, B, x, y: A + np.outer(x, y),
        f"diag({x}) @ {a}": lambda A, B, x, y: np.diag(x) @ A,
        f"{a}*{b} - 2*{a}": lambda A, B, x, y: A * B - 2 * A,
    }
    vectors = {
        f"{a} @ {x}": lambda A, B, x, y: A @ x,
        f"tanh({b} @ {x}) + {y}": lambda A, B, x, y: np.tanh(B @ x) + y,
        f"softmax({a} @ {x})": lambda A, B, x, y: softmax(A @ x, 0),
        f"{x}/sqrt(sum({x}**2))": lambda A, B, x, y: x / np.sqrt((x**2).sum()),
        f"{b} @ ({a} @ {x})*{y}": lambda A, B, x, y: B @ (A @ x) * y,
    }
    m = pick(g, "matrix", matrices, a, b, x, y)
    v = pick(g, "vector", vectors, a, b, x, y)
    losses = {
        f"trace({m} @ {a})": lambda M, v, A, y: np.trace(M @ A),
        f"{v} @ {m} @ {y}": lambda M, v, A, y: v @ M @ y,
        f"sum(({m} - {a})**2) + {v} @ {v}": lambda M, v, A, y: ((M - A) ** 2).sum() + v @ v,
        f"sum(log(1 + exp({m} @ {v})))": lambda M, v, A, y: np.log(1 + np.exp(M @ v)).sum(),
        f"{y} @ {v} + 0.5*sum({m}**2)": lambda M, v, A, y: y @ v + 0.5 * (M**2).sum(),
    }
    pick(g, "loss", losses, m, v, a, y)
    g.inputs = {n: i for n, i in g.inputs.items() if n in g.used}
    return g


def pick(g, kind, choices, *above):
    """One of the texts, as a node."""
    text = sorted(choices)[int(g.rng.integers(len(choices)))]
    return g.node(kind, text, choices[text], *above)


# ---- steps: each takes the name of a matrix and its [samples, features], and gives that of another


def axis_of(g, what):
    return (1 if what == "features" else 0) if not g.columns else (0 if what == "features" else 1)


def affine(g, h, shape, k=None):
    d, k = shape[1], k or (g.dim() if len(g.sizes) < 7 else shape[1])
    w = g.input("W", *((k, d) if g.columns else (d, k)))
    product = (f"{w} @ {h}", lambda W, H: W @ H, w, h) if g.columns else (f"{h} @ {w}", lambda H, W: H @ W, h, w)
    shape[1] = k
    if g.rng.integers(2):
        return g.node("affine", *product)
    b = g.input("b", *((k, 1) if g.columns else (k,)))
    text, value, *above = product
    return g.node("affine", f"{text} + {b}", lambda a, c, b: value(a, c) + b, *above, b)


def activation(g, h, shape):
    f = list(FUNCTIONS)[int(g.rng.integers(len(FUNCTIONS)))]
    return g.node("activation", f"{f}({h})", FUNCTIONS[f], h)


def layer(g, h, shape):
    return activation(g, affine(g, h, shape), shape)


def probabilities(g, h, shape):
    axis = int(g.rng.integers(2))
    return g.node("softmax", f"softmax({h}, axis={axis})", lambda z: softmax(z, axis), h)


def recurrent(g, h, shape):
    s = g.input("S", shape[1], shape[1])
    for _ in range(2):
        if g.columns:
            h = g.node("shared", f"tanh({s} @ {h})", lambda S, H: np.tanh(S @ H), s, h)
        else:
            h = g.node("shared", f"tanh({h} @ {s})", lambda H, S: np.tanh(H @ S), h, s)
    return h


def residual(g, h, shape):
    s = g.input("S", shape[1], shape[1])
    if g.columns:
        return g.node("residual", f"{h} + tanh({s} @ {h})", lambda H, S: H + np.tanh(S @ H), h, s)
    return g.node("residual", f"{h} + tanh({h} @ {s})", lambda H, S: H + np.tanh(H @ S), h, s)


def norm(g, h, shape):
    axis = int(g.rng.integers(2))
    if g.rng.integers(2):
        m = g.node("mean", f"mean({h}, axis={axis}, keepdims=True)", lambda H: H.mean(axis, keepdims=True), h)
        v = g.node("variance", f"mean(({h} - {m})**2, axis={axis}, keepdims=True)",
                   lambda H, m: ((H - m) ** 2).mean(axis, keepdims=True), h, m)  # fmt: skip
        return g.node("norm", f"({h} - {m})/sqrt({v} + 0.01)", lambda H, m, v: (H - m) / np.sqrt(v + 0.01), h, m, v)
    c = g.node("centred", f"{h} - mean({h}, axis={axis}, keepdims=True)", lambda H: H - H.mean(axis, keepdims=True), h)
    return g.node("norm", f"{c}/sqrt(mean({c}**2, axis={axis}, keepdims=True) + 0.01)",
                  lambda C: C / np.sqrt((C**2).mean(axis, keepdims=True) + 0.01), c)  # fmt: skip


def gate(g, h, shape):
    a, b = g.input("U", shape[1], shape[1]), g.input("V", shape[1], shape[1])
    if g.columns:
        return g.node("gate", f"({a} @ {h})*sigmoid({b} @ {h})",
                      lambda A, B, H: (A @ H) * FUNCTIONS["sigmoid"](B @ H), a, b, h)  # fmt: skip
    return g.node("gate", f"({h} @ {a})*sigmoid({h} @ {b})",
                  lambda A, B, H: (H @ A) * FUNCTIONS["sigmoid"](H @ B), a, b, h)  # fmt: skip


def attention(g, h, shape):
    if g.columns:
        return gate(g, h, shape)
    q, k = g.input("Q", shape[1], shape[1]), g.input("K", shape[1], shape[1])
    scale = float(g.rng.choice([0.5, 0.25, 2.0]))
    s = g.node("scores", f"{scale}*({h} @ {q}) @ ({h} @ {k}).T", lambda H, Q, K: scale * (H @ Q) @ (H @ K).T, h, q, k)
    p = g.node("softmax", f"softmax({s}, axis=1)", lambda z: softmax(z, 1), s)
    return g.node("mixed", f"{p} @ {h}", lambda P, H: P @ H, p, h)


def tied(g, h, shape):
    w = g.input("W", shape[1], (k := g.dim() if len(g.sizes) < 7 else shape[0]))
    del k
    if g.columns:
        return g.node("tied", f"{w} @ tanh({w}.T @ {h})", lambda W, H: W @ np.tanh(W.T @ H), w, h)
    return g.node("tied", f"tanh({h} @ {w}) @ {w}.T", lambda H, W: np.tanh(H @ W) @ W.T, h, w)


def scaled(g, h, shape):
    t = g.input("t")
    return g.node("scaled", f"{t}*{h}", lambda t, H: t * H, t, h)


def featurewise(g, h, shape):
    gamma = g.input("gamma", *((shape[1], 1) if g.columns else (shape[1],)))
    return g.node("gamma", f"{gamma}*{h}", lambda c, H: c * H, gamma, h)


def length(g, h, shape):
    return g.node("length", f"{h}/sqrt(sum({h}**2) + 0.1)", lambda H: H / np.sqrt((H**2).sum() + 0.1), h)


def gram(g, h, shape):
    if g.columns or shape[0] == shape[1]:
        return layer(g, h, shape)
    return g.node("gram", f"0.1*{h} @ {h}.T @ {h}", lambda H: 0.1 * H @ H.T @ H, h)


STEPS = (layer, layer, probabilities, recurrent, residual, norm, norm, gate, attention, tied, scaled, featurewise,
         length, gram, activation)  # fmt: skip


# ---- losses


def penalty(g):
    weights = [n for n in g.inputs if n[0] in "WSUV"]
    if not weights or g.rng.integers(3):
        return "", lambda *v: 0.0, ()
    w = weights[0]
    return f" + 0.3*sum({w}**2)", lambda w: 0.3 * (w**2).sum(), (w,)


def squares(g, h, shape):
    y = g.input("Y", *((shape[1], shape[0]) if g.columns else (shape[0], shape[1])))
    front, sized = [("sum", np.sum), ("0.5*sum", lambda a: 0.5 * np.sum(a)), ("mean", np.mean)][int(g.rng.integers(3))]
    more, extra, above = penalty(g)
    g.node("loss", f"{front}(({h} - {y})**2){more}", lambda H, Y, *w: sized((H - Y) ** 2) + extra(*w), h, y, *above)


def cotangent(g, h, shape):
    u = g.input("G", *((shape[1], shape[0]) if g.columns else (shape[0], shape[1])))
    more, extra, above = penalty(g)
    g.node("loss", f"sum({u}*{h}){more}", lambda G, H, *w: np.sum(G * H) + extra(*w), u, h, *above)


def cross_entropy(g, h, shape):
    axis = axis_of(g, "features")
    y = g.input("Y", *((shape[1], shape[0]) if g.columns else (shape[0], shape[1])))
    g.inputs[y] = (g.inputs[y][0], softmax(g.inputs[y][1], axis))
    n = g.sizes[shape[0]]
    g.node("loss", f"-sum({y}*log_softmax({h}, axis={axis}))/{n}",
           lambda Y, H: -np.sum(Y * log_softmax(H, axis)) / n, y, h)  # fmt: skip


def logistic(g, h, shape):
    z, n = affine(g, h, shape, 1), g.sizes[shape[0]]
    y = g.input("y", *((1, shape[0]) if g.columns else (shape[0], 1)))
    g.inputs[y] = (g.inputs[y][0], (g.inputs[y][1] > 0) * 1.0)
    g.node("loss", f"sum(softplus({z}) - {y}*{z})/{n}", lambda z, y: np.sum(np.log(1 + np.exp(z)) - y * z) / n, z, y)


def entropy(g, h, shape):
    axis = axis_of(g, "features")
    p = g.node("softmax", f"softmax({h}, axis={axis})", lambda z: softmax(z, axis), h)
    g.node("loss", f"sum({p}*log({p}))", lambda P: np.sum(P * np.log(P)), p)


def plain(g, h, shape):
    f = ("tanh", "sin", "softplus")[int(g.rng.integers(3))]
    g.node("loss", f"sum({f}({h}))", lambda H: np.sum(FUNCTIONS[f](H)), h)


LOSSES = (squares, squares, cotangent, cross_entropy, logistic, entropy, plain)


# ---- wrong gradients


def tamperings(g):
    """{what: {node: the function instead of its own}}: one derivative is wrong, all values are right."""
    found = {}
    for n in g.nodes[:-1]:
        for what, change in slips(g.rng).items():
            found[f"{what} {n.kind} {n.name}"] = {n.name: lambda *a, f=n.value, c=change: c(f(*a))}
    for n in g.nodes:
        for k, a in enumerate(n.above):
            if len(n.above) > 1:
                found[f"path {a} {n.kind} {n.name}"] = {
                    n.name: lambda *a, f=n.value, k=k: f(*a[:k], np.real(a[k]), *a[k + 1 :])
                }
        if n.kind == "softmax":
            found[f"diagonal {n.name}"] = {n.name: lambda z, f=n.value: diagonal(np.real(f(np.real(z))), z)}
    return found


def slips(rng):
    """{what: what becomes of a complex value}."""
    k = float(rng.choice([2.0, 0.5, -1.0, 3.0]))
    return {
        "cut": np.real,
        "factor": lambda v: np.real(v) + 1j * k * np.imag(v),
        "uneven": lambda v: (
            np.real(v) + 1j * np.imag(v) * (1 + 0.5 * np.cos(np.arange(np.size(v)))).reshape(np.shape(v))
        ),
    }


def diagonal(p, z):
    """A softmax whose Jacobian is p (1 - p)."""
    return p + 1j * p * (1 - p) * np.imag(z)


def changes(rng, right):
    """{what: wrong gradient}, made of the right one tensor by tensor."""
    names = list(right)
    n = names[int(rng.integers(len(names)))]
    t, found = right[n], {}
    found["zero"] = {**right, n: 0 * t}
    found["ones"] = {**right, n: np.ones_like(t)}
    found["noise"] = {**right, n: t + np.linalg.norm(t) * rng.standard_normal(t.shape)}
    found["all noise"] = {m: g + rng.standard_normal(g.shape) for m, g in right.items()}
    found["factor"] = {m: 3.7 * g for m, g in right.items()}
    found["sign"] = {m: -g for m, g in right.items()}
    found["one factor"] = {**right, n: 0.3 * t}
    if t.ndim == 2:
        found["transposed"] = {**right, n: t.T}
        found["rank one"] = {**right, n: np.outer(t[:, 0], np.ones(t.shape[1]))}
    if t.ndim:
        found["rolled"] = {**right, n: np.roll(t, 1, axis=0)}
        found["shape"] = {**right, n: t[None]}
        found["nan"] = {**right, n: np.where(np.arange(t.size).reshape(t.shape) == 0, np.nan, t)}
        entry = t.copy()
        entry.flat[0] += 0.1 * (1 + abs(entry.flat[0]))
        found["entry"] = {**right, n: entry}
    for a in names:
        for b in names:
            if a < b and right[a].shape == right[b].shape:
                found["swapped"] = {**right, a: right[b], b: right[a]}
    return found


# ---- what is asked of the library


def close(a, b, scale=None):
    a, b = np.asarray(a, float), np.asarray(b, float)
    size = max(np.linalg.norm(a), np.linalg.norm(b)) if scale is None else scale
    return a.shape == b.shape and np.linalg.norm(a - b) <= 1e-6 * size + 1e-12


def trials(g):
    """(what, right gradient, gradient to check): the right one, wrong derivatives, wrong arrays."""
    rng, values = g.rng, g.values
    names = [n for n in values if n[0] not in "YyG"]
    wrt = (
        names
        if rng.integers(2)
        else [names[k] for k in sorted(rng.choice(len(names), min(2, len(names)), replace=False))]
    )
    right = g.gradient(values, wrt)
    yield "right", right, right
    slipped = tamperings(g)
    for what in rng.choice(sorted(slipped), min(3, len(slipped)), replace=False):
        yield str(what), right, g.gradient(values, wrt, slipped[what])
    wrong = changes(rng, right)
    for what in rng.choice(sorted(wrong), 2, replace=False):
        yield str(what), right, wrong[what]


def complaints(check_gradient, parse, evaluate, seed):
    """What is wrong with the reports on the gradients of one graph: (what was given, what is wrong, the report's text).

    Args: the library's own check_gradient, parse and evaluate.
    """
    g = random_graph(seed)
    f, values = parse(g.text, shapes=g.shapes), g.values
    for what, right, given in trials(g):
        black = g.rng.integers(5) == 0
        loss = (lambda **v: g.run(v)[0]) if black else f
        fixed = g.rng.integers(2)
        gradient = given if fixed or what != "right" else (lambda **v: g.gradient(v, list(right)))  # noqa: B023
        single = g.rng.integers(4) == 0  # its rounding may hide a small tensor
        if single:
            gradient = {n: np.float32(t) for n, t in given.items()}
        report = check_gradient(loss, gradient, values)
        text = report.text()
        report.html(), report.to_dict()
        for n, t in right.items():
            verdict, same = report.verdicts[n], close(given[n], t)
            if verdict == ("wrong" if same else "right"):
                yield what, f"{n} is called {verdict}", text
            if verdict == "not checkable" and not single and np.linalg.norm(t) > 1e-9:
                yield what, f"{n}: not checkable", text
        for d in report.diagnoses:
            if bool(d.mend) != bool(d.formulas):
                yield what, "a mend without a formula", text
            if d.mistake is not None and not d.mend and not black:
                yield what, "a name without a mend", text
            for name, e in d.formulas:
                of = name.removeprefix("d")
                truth = right[of] if of in right else g.adjoint(values, of) if of in {n.name for n in g.nodes} else None
                used = {n: given[n.removeprefix("d")] if n not in values else values[n] for n in e.symbols}
                made = evaluate(e, **used)
                if truth is not None and not close(made, truth):
                    yield what, f"the mend of {of} is wrong", text


def main(how_many, first):
    import collections
    import time
    import traceback

    import byhand

    counts, begun = collections.Counter(), time.process_time()
    for seed in range(first, first + how_many):
        try:
            for what, wrong, text in complaints(byhand.check_gradient, byhand.parse, byhand.evaluate, seed):
                counts[wrong.split(" ")[-1] if "called" in wrong else wrong] += 1
                print(f"--- {seed}: {what}: {wrong}\n{random_graph(seed).text}\n{text}", flush=True)
        except Exception:  # of the library: this is what is counted
            counts["exceptions"] += 1
            print(f"--- {seed}\n{random_graph(seed).text}")
            traceback.print_exc()
    print(f"{how_many} graphs, {time.process_time() - begun:.0f} s: {dict(counts) or 'nothing wrong'}")
    return bool(counts)


if __name__ == "__main__":
    import sys

    sys.exit(main(*(int(a) for a in [*sys.argv[1:], "300", "0"][:2])))
