"""The table of layer kinds: one row each. A new kind is a new row.

A row reads its words ("conv 8 3x3 stride=2"), and says for a value below, whose shape is known, what parameters the layer has
and the lines of the expression language that compute its value. So whatever derives, prints, compiles or trains an expression
serves every kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from byhand.errors import ParseError, ShapeError
from byhand.expr.dims import Dim, Shape, multiply_dims, parse_dim, show_shape

Role = Literal["weight", "bias", "gain"]


class Weight(NamedTuple):
    """What is trained.

    Attributes:
        name, shape: "W1", (inputs, outputs).
        role: a "weight" is drawn, a "bias" starts at 0, a "gain" at 1.
        fan: how many inputs an output of the layer sums over, for the scale of what is drawn.
        penalised: whether its square is part of the penalty.
    """

    name: str
    shape: Shape
    role: Role
    fan: Dim = 1
    penalised: bool = False


class Request(NamedTuple):
    """What a row is asked for.

    Attributes:
        words: the positional words behind the kind's name; `options` those with =.
        number: of the layer among those with values of their own, from 1.
        below: the name of the value that it is applied to.
        shape: of that value, the samples first.
        earlier: names of the values before, last first.
    """

    words: tuple[str, ...]
    options: Mapping[str, str]
    number: int
    below: str
    shape: Shape
    earlier: tuple[str, ...]

    def size(self, k: int, what: str) -> Dim:
        """The k-th word as a size."""
        if k >= len(self.words):
            raise ParseError(f"{what} is missing")
        return parse_dim(self.words[k])

    def whole(self, name: str, default: int) -> int:
        """An option as a whole number."""
        text = self.options.get(name, str(default))
        if not text.isdecimal():
            raise ParseError(f"{name}={text[:20]}: a whole number is needed")
        return int(text)

    def axes(self, *ranks: int) -> int:
        """How many axes a sample has.

        Raises: ShapeError: not as many as the kind takes.
        """
        rank = len(self.shape) - 1
        if rank not in ranks:
            wanted = " or ".join(map(str, ranks))
            raise ShapeError(f"a sample with {wanted} axes is needed, {self.below} is {show_shape(self.shape)}")
        return rank


class Made(NamedTuple):
    """What a row answers.

    Attributes:
        lines: name -> definition, in order; the last is the value.
        weights: what is trained.
        masks: of dropout, name -> what it has the shape of, and the share that is kept.
        running: of batch normalisation, the line that computes its value from a running mean and variance, and these.
    """

    lines: dict[str, str]
    weights: tuple[Weight, ...] = ()
    masks: tuple[tuple[str, str, float], ...] = ()
    running: tuple[str, tuple[str, str], str] | None = None


class Kind(NamedTuple):
    """A row.

    Attributes:
        name: the first word.
        usage: the words behind it.
        make: what the layer is, for a request.
        sample: the axes of an input that nobody gave a shape; "labels" are integers.
        words: what it is.
    """

    name: str
    usage: str
    make: Callable[[Request], Made]
    sample: str
    words: str


def _dense(r: Request) -> Made:
    n, outputs, below = r.number, r.size(0, "the number of units"), r.shape[-1]
    weights = (Weight(f"W{n}", (below, outputs), "weight", below, True), Weight(f"b{n}", (outputs,), "bias"))
    return Made({f"Z{n}": f"{r.below} @ W{n} + b{n}"}, weights)


def _window(r: Request, word: str, rank: int) -> tuple[int, ...]:
    """3x5, or 3 for all axes."""
    parts = word.split("x")
    if not all(p.isdecimal() and int(p) for p in parts) or len(parts) not in (1, rank):
        raise ParseError(f"{word[:20]} is not a window: 3, or {'x'.join(['3'] * rank)}")
    return tuple(map(int, parts)) * (rank if len(parts) == 1 else 1)


def _conv(r: Request) -> Made:
    n, rank, filters = r.number, r.axes(2, 3) - 1, r.size(0, "the number of filters")
    window = _window(r, r.words[1] if len(r.words) > 1 else "3", rank)
    stride = r.whole("stride", 1)
    if r.options.get("padding") == "same":
        if any(w % 2 == 0 for w in window) or stride != 1:
            raise ParseError("padding=same is for windows of odd size and stride 1")
        padding = "(" + ", ".join(str(w // 2) for w in window) + ")" if len(set(window)) > 1 else str(window[0] // 2)
    else:
        padding = str(r.whole("padding", 0))
    channels = r.shape[1]
    fan = channels
    for w in window:
        fan = multiply_dims(fan, w)
    given = "".join([f", stride={stride}" if stride != 1 else "", f", padding={padding}" if padding != "0" else ""])
    spread = ", None" * rank
    weights = (Weight(f"W{n}", (filters, channels, *window), "weight", fan, True), Weight(f"b{n}", (filters,), "bias"))
    return Made({f"Z{n}": f"conv{rank}d({r.below}, W{n}{given}) + b{n}[:{spread}]"}, weights)


def _pool(which: str) -> Callable[[Request], Made]:
    def make(r: Request) -> Made:
        rank = r.axes(2, 3) - 1
        window = _window(r, r.words[0] if r.words else "2", rank)
        size = str(window[0]) if len(set(window)) == 1 else str(window)
        stride = f", {r.whole('stride', 0)}" if "stride" in r.options else ""
        return Made({f"P{r.number}": f"{which}_pool{rank}d({r.below}, {size}{stride})"})

    return make


def _flatten(r: Request) -> Made:
    return Made({f"F{r.number}": f"reshape({r.below}, ({r.shape[0]}, -1))"})


def _dropout(r: Request) -> Made:
    try:
        share = float(r.words[0]) if r.words else 0.5
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise ParseError(f"{' '.join(r.words)[:20]}: the share that is left out, from 0 to below 1, e.g. dropout 0.2")
    return Made({f"V{r.number}": f"{r.below}*D{r.number}"}, (), ((f"D{r.number}", r.below, 1 - share),))


def _batch_norm(r: Request) -> Made:
    """Over the samples, of images also over the places: one scale and shift for each channel."""
    n, rank = r.number, len(r.shape) - 1
    g, b, m, v, eps = f"g{n}", f"b{n}", f"m{n}", f"v{n}", r.options.get("eps", "1e-5")
    channels = r.shape[1]
    weights = (Weight(g, (channels,), "gain"), Weight(b, (channels,), "bias"))
    spread = f"[:{', None' * (rank - 1)}]" if rank > 1 else ""
    running = f"{g}{spread}*({r.below} - {m}{spread})/sqrt({v}{spread} + {eps}) + {b}{spread}"
    if rank == 1:
        return Made({f"U{n}": f"batch_norm({r.below}, {g}, {b}, {eps})"}, weights, (), (f"U{n}", (m, v), running))
    axes = (0, *range(2, rank + 1))
    lines = {
        f"C{n}": f"{r.below} - mean({r.below}, axis={axes}, keepdims=True)",
        f"U{n}": f"{g}{spread}*C{n}*(mean(C{n}**2, axis={axes}, keepdims=True) + {eps})**-0.5 + {b}{spread}",
    }
    return Made(lines, weights, (), (f"U{n}", (m, v), running))


def _last_axis_norm(which: str) -> Callable[[Request], Made]:
    def make(r: Request) -> Made:
        n, width, eps = r.number, r.shape[-1], r.options.get("eps", "1e-5")
        weights = [Weight(f"g{n}", (width,), "gain")]
        shift = ""
        if which == "layer_norm":
            weights.append(Weight(f"b{n}", (width,), "bias"))
            shift = f", b{n}"
        return Made({f"U{n}": f"{which}({r.below}, g{n}{shift}, {eps})"}, tuple(weights))

    return make


def _residual(r: Request) -> Made:
    back = int(r.words[0]) if r.words and r.words[0].isdecimal() else 1
    if not 0 < back < len(r.earlier):
        raise ParseError(f"residual {back}: there are {len(r.earlier) - 1} layers before it")
    return Made({f"R{r.number}": f"{r.below} + {r.earlier[back]}"})


def _embedding(r: Request) -> Made:
    if len(r.words) != 2:
        raise ParseError("embedding takes the number of words and the width: embedding 1000 64")
    n, words, width = r.number, r.size(0, "the number of words"), r.size(1, "the width")
    return Made({f"H{n}": f"E{n}[{r.below}]"}, (Weight(f"E{n}", (words, width), "weight", 1, True),))


def _attention(r: Request) -> Made:
    """Every position looks at all (or with `causal`, at those before it), in several heads at once."""
    r.axes(2)
    n, heads, width = r.number, r.size(0, "the number of heads"), r.shape[-1]
    if not isinstance(heads, int) or not isinstance(width, int) or width % heads:
        raise ParseError(f"attention {heads}: the width {width} must be a number that the number of heads divides")
    each = width // heads
    project = "einsum('ntd,dhk->nhtk', {}, {})"
    q, k, v = (project.format(r.below, f"W{c}{n}") for c in "qkv")
    mask = f", arange({r.shape[1]})[:, None] >= arange({r.shape[1]})" if "causal" in r.words[1:] else ""
    weights = [Weight(f"W{c}{n}", (width, heads, each), "weight", width, True) for c in "qkv"]
    weights.append(Weight(f"Wo{n}", (heads, each, width), "weight", width, True))
    lines = {f"Q{n}": q, f"K{n}": k, f"V{n}": v, f"O{n}": f"attention(Q{n}, K{n}, V{n}{mask})"}
    return Made({**lines, f"A{n}": f"einsum('nhtk,hkd->ntd', O{n}, Wo{n})"}, tuple(weights))


def _recurrent(cell: str) -> Callable[[Request], Made]:
    """A cell at every step of a sequence; the value is its last state. The first state is 0."""
    gates = {"rnn": ("h",), "lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}[cell]

    def make(r: Request) -> Made:
        r.axes(2)
        n, units, steps, width = r.number, r.size(0, "the number of units"), r.shape[1], r.shape[2]
        if not isinstance(steps, int):
            raise ParseError(f"{cell}: the number of steps is {steps}, a number is needed", "give the input's shape")
        weights = [Weight(f"W{n}{c}", (width, units), "weight", width, True) for c in gates]
        weights += [Weight(f"U{n}{c}", (units, units), "weight", units, True) for c in gates]
        weights += [Weight(f"b{n}{c}", (units,), "bias") for c in gates]
        lines: dict[str, str] = {}
        for t in range(steps):
            x, h, new = f"{r.below}[:, {t}]", f"H{n}_{t}" if t else "", f"H{n}_{t + 1}"

            def linear(c: str, x: str = x, h: str = h) -> str:
                return f"{x} @ W{n}{c}" + (f" + {h} @ U{n}{c}" if h else "") + f" + b{n}{c}"

            def gate(c: str, t: int = t) -> str:
                return f"{c}{n}_{t + 1}"

            if cell == "rnn":
                lines[new] = f"tanh({linear('h')})"
            elif cell == "lstm":
                for c in gates:
                    lines[gate(c)] = f"{'tanh' if c == 'g' else 'sigmoid'}({linear(c)})"
                kept = f"{gate('f')}*C{n}_{t} + " if t else ""
                lines[f"C{n}_{t + 1}"] = f"{kept}{gate('i')}*{gate('g')}"
                lines[new] = f"{gate('o')}*tanh(C{n}_{t + 1})"
            else:
                lines[gate("r")], lines[gate("z")] = (f"sigmoid({linear(c)})" for c in "rz")
                inner = f" + {gate('r')}*({h} @ U{n}n)" if h else ""
                lines[gate("n")] = f"tanh({x} @ W{n}n{inner} + b{n}n)"
                lines[new] = f"(1 - {gate('z')})*{gate('n')}" + (f" + {gate('z')}*{h}" if h else "")
        used = " ".join(lines.values())
        return Made(lines, tuple(w for w in weights if w.name in used))

    return make


_TABLE = (
    Kind("dense", "UNITS", _dense, "D", "an affine map of the last axis"),
    Kind("conv", "FILTERS WINDOW [stride=1] [padding=0|same]", _conv, "C H V", "the cross-correlation with filters"),
    Kind("maxpool", "WINDOW [stride=WINDOW]", _pool("max"), "C H V", "the largest entry of each window"),
    Kind("avgpool", "WINDOW [stride=WINDOW]", _pool("avg"), "C H V", "the mean of each window"),
    Kind("flatten", "", _flatten, "C H V", "each sample as a vector"),
    Kind("dropout", "SHARE", _dropout, "D", "entries left out by a mask whose mean is one"),
    Kind("batch_norm", "[eps=1e-5]", _batch_norm, "D", "mean 0 and variance 1 over the samples, scaled and shifted"),
    Kind("layer_norm", "[eps=1e-5]", _last_axis_norm("layer_norm"), "D", "mean 0 and variance 1 over the last axis"),
    Kind("rms_norm", "[eps=1e-5]", _last_axis_norm("rms_norm"), "D", "divided by the root mean square of the last axis"),
    Kind("residual", "LAYERS", _residual, "D", "what stood so many layers before, added"),
    Kind("embedding", "WORDS WIDTH", _embedding, "labels", "a row of a table for each integer"),
    Kind("attention", "HEADS [causal]", _attention, "T D", "self-attention in several heads"),
    Kind("rnn", "UNITS", _recurrent("rnn"), "T D", "h = tanh(x W + h U + b) over the steps, the last h"),
    Kind("lstm", "UNITS", _recurrent("lstm"), "T D", "long short-term memory over the steps, the last state"),
    Kind("gru", "UNITS", _recurrent("gru"), "T D", "gated recurrent unit over the steps, the last state"),
)  # fmt: skip

KINDS: dict[str, Kind] = {row.name: row for row in _TABLE}

__all__ = ["KINDS", "Kind", "Made", "Request", "Weight"]
