"""Random functions that are hard on code: operations inside themselves, slices, axes of size one, masks, shared names.

The text is NumPy's as well, so that an oracle that knows nothing of byhand can read it.
"""

import random

import numpy as np

SHAPES = {
    "X": (4, 3),
    "Y": (4, 3),
    "A": (3, 3),
    "R": (1, 3),
    "K": (4, 1),
    "T": (2, 4, 3),
    "v": (3,),
    "u": (4,),
    "w": (1,),
    "s": (),
}
LABELS = {"t": (4,)}
TABLE = {"E": (5, 3)}
SMOOTH = (
    "tanh({})",
    "sin({})",
    "sigmoid({})",
    "softplus({})",
    "exp(-({})**2)",
    "sqrt(1 + ({})**2)",
    "log(2 + ({})**2)",
    "({})**2",
    "({})**3",
    "1/(2 + ({})**2)",
)
KINKED = ("relu({})", "abs({})", "maximum({}, 0.3)", "minimum({}, -0.1)")
PARTIAL = ("where({0} > 0, sqrt({0}), {0})", "where({0} > 0.1, log({0}), 2*{0})", "where({0} <= 0, exp({0}), {0}**0.5)",
           "where({0} != 0, sin({0})/{0}, 1)", "relu(log({0}**2))", "where(abs({0}) < 1, arcsin({0}), 0)")  # fmt: skip


class Hostile:
    """One function: lines that define names, and the value.

    Args:
        seed: decides everything.
    """

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lines, self.names = [], dict(SHAPES)
        self.used = set()
        for k in range(self.rng.randint(0, 3)):
            text, shape = self.array(self.rng.randint(1, 3))
            name = f"{'QPHZ'[k]}{k + 1}"
            self.lines.append(f"{name} = {text}")
            self.names[name] = shape
        terms = [self.scalar(self.rng.randint(2, 4)) for _ in range(self.rng.randint(1, 3))]
        terms += [f"sum({name})" for name in self.names if name not in SHAPES and not any(name in t for t in terms)]
        self.text = "\n".join([*self.lines, " + ".join(terms)])
        everything = {**SHAPES, **LABELS, **TABLE}
        self.shapes = {n: " ".join(map(str, everything[n])) for n in everything if n in self.used}
        self.assume = {"t": "labels"} if "t" in self.used else {}

    def values(self, seed=0):
        """Generic values."""
        rng = np.random.default_rng(seed)
        drawn = {
            n: np.asarray(rng.uniform(0.2, 1.5, shape) * rng.choice([-1, 1], shape))
            for n, shape in {**SHAPES, **TABLE}.items()
        }
        drawn["t"] = rng.integers(0, 5, 4)
        return {n: drawn[n] for n in self.shapes}

    # ---- pieces

    def leaf(self, shape=None):
        fits = [n for n, s in self.names.items() if shape is None or s == shape]
        name = self.rng.choice(fits)
        self.used.add(name)
        return name, self.names[name]

    def scalar(self, depth):
        text, shape = self.array(depth)
        if shape:
            text = self.rng.choice(
                ["sum({})", "mean({})", "sum(({})**2)", "logsumexp({})", "norm(1 + ({})**2)"]
            ).format(text)
        return f"{self.rng.choice(['', '0.5*', '-2*'])}{text}"

    def array(self, depth):
        """A text and its shape."""
        if depth == 0:
            return self.leaf()
        kinds = (
            ["function"] * 3
            + ["binary"] * 3
            + [
                "partial",
                "reduce",
                "slice",
                "slice",
                "softmax",
                "product",
                "product",
                "join",
                "gather",
                "nest",
                "transpose",
                "kinked",
            ]
        )
        return getattr(self, f"_{self.rng.choice(kinds)}")(depth)

    def _function(self, depth):
        text, shape = self.array(depth - 1)
        return self.rng.choice(SMOOTH).format(text), shape

    def _kinked(self, depth):
        text, shape = self.array(depth - 1)
        return self.rng.choice(KINKED).format(text), shape

    def _partial(self, depth):
        text, shape = self.array(depth - 1)
        return self.rng.choice(PARTIAL).format(f"({text})"), shape

    def _nest(self, depth):
        """An operation inside itself."""
        text, shape = self.array(depth - 1)
        form = self.rng.choice([*PARTIAL, *KINKED, "softmax({}, axis=0)" if shape else "tanh({})"])
        return form.format(f"({form.format(f'({text})')})"), shape

    def _binary(self, depth):
        a, one = self.array(depth - 1)
        for _ in range(20):
            b, other = self.array(self.rng.randint(0, depth - 1))
            try:
                shape = np.broadcast_shapes(one, other)
            except ValueError:
                continue
            form = self.rng.choice(
                [
                    "({}) + ({})",
                    "({}) - ({})",
                    "({})*({})",
                    "({})/(2 + ({})**2)",
                    "maximum({}, {})",
                    "minimum({}, {})",
                    "where(({0}) > ({1}), {0}, 3*({1}))",
                ]
            )
            return form.format(a, b), shape
        return a, one

    def _reduce(self, depth):
        text, shape = self.array(depth - 1)
        if not shape:
            return text, shape
        axis = self.rng.randrange(len(shape))
        keep = self.rng.random() < 0.5
        name = self.rng.choice(["sum", "mean", "logsumexp"])
        new = tuple(1 if i == axis else n for i, n in enumerate(shape) if keep or i != axis)
        return f"{name}({text}, axis={axis}, keepdims={keep})", new

    def _slice(self, depth):
        text, shape = self.array(depth - 1)
        if not shape:
            return text, shape
        index, new = [], []
        for n in shape:
            kind = self.rng.choice(["all", "all", "some", "one", "last", "short"])
            if kind == "one":
                index.append(str(self.rng.choice([0, n - 1, -1])))
                continue
            first = self.rng.randrange(n)
            stop = n if kind == "last" else self.rng.randint(first + 1, n)
            if kind == "all":
                first, stop = 0, n
            if kind == "short":
                stop = first + 1
            index.append(":" if kind == "all" else f"{first}:{stop}")
            new.append(stop - first)
        return f"({text})[{', '.join(index)}]", tuple(new)

    def _softmax(self, depth):
        text, shape = self.array(depth - 1)
        if not shape:
            return f"tanh({text})", shape
        return f"{self.rng.choice(['softmax', 'log_softmax'])}({text}, axis={self.rng.randrange(len(shape))})", shape

    def _transpose(self, depth):
        text, shape = self.array(depth - 1)
        return (f"({text}).T", shape[::-1]) if len(shape) == 2 else (text, shape)

    def _product(self, depth):
        a, one = self.array(depth - 1)
        if len(one) == 2 and self.rng.random() < 0.3:
            return f"({a}) @ ({a}).T", (one[0], one[0])
        for _ in range(20):
            b, other = self.array(self.rng.randint(0, depth - 1))
            if one and other and one[-1] == (other[-2] if len(other) > 1 else other[0]) and len(one) + len(other) < 5:
                return f"({a}) @ ({b})", np.matmul(np.ones(one), np.ones(other)).shape
            if len(one) == len(other) == 1 and self.rng.random() < 0.3:
                return f"outer({a}, {b})", (*one, *other)
            if len(one) == len(other) == 2 and one[0] * other[0] * one[1] * other[1] < 150 and self.rng.random() < 0.2:
                return f"kron({a}, {b})", (one[0] * other[0], one[1] * other[1])
        return a, one

    def _join(self, depth):
        a, shape = self.array(depth - 1)
        if not shape:
            return a, shape
        axis = self.rng.randrange(len(shape))
        b = self.rng.choice([f"2*({a})", f"-({a})", f"tanh({a})"])
        return f"concatenate([{a}, {b}], axis={axis})", tuple(2 * n if i == axis else n for i, n in enumerate(shape))

    def _gather(self, depth):
        self.used |= {"t", "E"}
        return self.rng.choice(
            [
                ("one_hot(t, 5) @ E", (4, 3)),
                ("one_hot(t, 5) @ tanh(E)", (4, 3)),
                ("one_hot(t, 5)*(X @ E.T)", (4, 5), self.used.add("X")),
            ]
        )[:2]


def rim(values):
    """The values moved to where conventions decide: name -> values."""

    def moved(change):
        return {n: a if a.dtype.kind == "i" else np.asarray(change(a)) for n, a in values.items()}

    return {
        "negative": moved(lambda a: -np.abs(a)),
        "zero": moved(np.zeros_like),
        "partly zero": moved(lambda a: np.where(np.arange(a.size).reshape(a.shape) % 2 == 0, 0.0, a)),
        "tied": moved(np.ones_like),
        "tiny": moved(lambda a: 1e-150 * a),
        "huge": moved(lambda a: 1e3 * a),
    }
