"""Networks of any kinds of layers: rows of the table `kinds`, one after the other, and a loss."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from byhand.arguments import mapping, whole_number
from byhand.errors import ByhandError, DataError, ParseError, ShapeError, nearest
from byhand.expr.dims import Dim, Shape, dim_names, dim_value, parse_dim, parse_shape, show_shape
from byhand.expr.expression import Expression
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import named, symbol
from byhand.expr.parse import declare, finish, parse, read_node, scope
from byhand.expr.source import Source
from byhand.nets.architecture import ALIASES, activation_definition, read_activation, read_penalty
from byhand.nets.definition import definition
from byhand.nets.kinds import KINDS, Made, Request, Weight
from byhand.nets.losses import LOSSES, TARGETS, loss_row

_DEFAULT_LABELS = "T"


@dataclass
class _Built:
    """What the layers come to."""

    lines: dict[str, str] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)  # the lines of prediction that differ
    weights: dict[str, Weight] = field(default_factory=dict)
    masks: dict[str, tuple[Shape, float]] = field(default_factory=dict)
    state: dict[str, Shape] = field(default_factory=dict)
    output: str = ""
    shape: Shape = ()


class Network:
    """A network of layers: L = loss(last value, targets) + l2 * (sum of the squared weights).

    Args:
        layers: one text for each, in order, or all in one separated by |: "conv 8 3x3 | relu | maxpool 2 | flatten | dense 10".
            A layer is a row of `byhand.nets.kinds.KINDS` with its words, or the name of an elementwise function.
        loss: the name of a row of `byhand.nets.losses`, or an expression in the logits Z and the targets y or Y.
        input: the shape of one sample: "1 28 28", "D"; "labels T" for sequences of integers. By default it has the axes that
            the first layer takes, as names.
        l2: λ, a number, or a name for an input that holds it.
        targets: "labels" (integers, y), "probabilities" (rows that sum to one, Y), or "values" (Y); the loss decides.
        batch: the name or number of the samples.
        seed: of `init`.
    Raises: ParseError: an unknown kind or loss, words that do not fit. ShapeError: layers that do not fit each other.

    >>> Network(["dense 300", "relu", "dense 10"], input="784").parameters
    ('W1', 'b1', 'W2', 'b2')
    """

    def __init__(
        self,
        layers: str | Sequence[str],
        loss: str = "softmax_cross_entropy",
        *,
        input: str | int | Sequence[int | str] | None = None,
        l2: float | str = 0.0,
        targets: str | None = None,
        batch: str | int = "N",
        seed: int = 0,
    ) -> None:
        self.words = _layer_texts(layers)
        self.row = loss_row(loss)
        self.loss, self.l2, self.seed = self.row.name, read_penalty(l2), whole_number(seed, "the seed", most=2**128)
        self.batch = parse_dim(batch)
        self.targets = self.row.targets[0] if targets is None else targets
        if self.targets not in self.row.targets:
            known = [*self.row.targets, *TARGETS]
            raise ParseError(
                f"{self.loss} takes no targets {self.targets!r}{nearest(self.targets, known)}",
                f"it takes {' or '.join(self.row.targets)}",
            )
        self.input_labels, self.input_shape = self._input(input)
        self._built = self._build()

    def _input(self, given: Any) -> tuple[bool, Shape]:
        """Whether samples hold integers, and their shape."""
        first = next((KINDS[w] for w in (text.split()[0] for text in self.words) if w in KINDS), KINDS["dense"])
        labels = first.sample == "labels"
        if given is None:
            return labels, parse_shape(_DEFAULT_LABELS if labels else first.sample)
        if isinstance(given, str) and given.split()[:1] == ["labels"]:
            return True, parse_shape(given.split(maxsplit=1)[1] if len(given.split()) > 1 else "")
        return labels, parse_shape(
            given if isinstance(given, str) else tuple(given) if _is_sequence(given) else (given,)
        )

    # ---- building

    def _build(self) -> _Built:
        x = symbol("X", (self.batch, *self.input_shape), {"labels"} if self.input_labels else ())
        built, nodes, values = _Built(), dict[str, Any](), ["X"]
        nodes |= {**scope([x]), "X": x}
        number = 0
        for text in self.words:
            name, *rest = text.split()
            number += name in KINDS and name not in ("maxpool", "avgpool", "flatten", "dropout", "residual")
            below = values[0]
            try:
                made = self._made(name, rest, text, max(1, number), below, nodes[below].shape, tuple(values))
                made = _distinct(made, built)
                self._add(built, nodes, made)
            except ByhandError as error:
                error.source = None
                raise error.at(text, 1, 1, len(text)) from None
            values.insert(0, next(reversed(made.lines)))
        built.output, built.shape = values[0], nodes[values[0]].shape
        return built

    def _made(
        self, name: str, rest: list[str], text: str, number: int, below: str, shape: Shape, earlier: tuple[str, ...]
    ) -> Made:
        if name in KINDS:
            options = dict(w.split("=", 1) for w in rest if "=" in w)
            words = tuple(w for w in rest if "=" not in w)
            usage = f"{name} {KINDS[name].usage}".strip()
            unknown = [o for o in options if f"[{o}=" not in usage]
            if unknown:
                raise ParseError(f"{name} has no option {unknown[0][:20]}", f"it is written {usage}")
            _need_places(name, words, usage)
            return KINDS[name].make(Request(words, options, number, below, shape, earlier))
        plain = re.fullmatch(r"[A-Za-z_]\w*(\s+[\w=.,]+)*", text)
        if plain and rest and name in FUNCTIONS:
            raise ParseError(f"{name} is a function of each entry: {' '.join(rest)[:20]} has no meaning behind it")
        if plain and (rest or (name not in FUNCTIONS and name not in ("softmax", "identity", *ALIASES))):
            near = nearest(name, [*KINDS, *FUNCTIONS])
            raise ParseError(
                f"no kind of layer is called {name[:40]}{near}", f"kinds: {', '.join(KINDS)}; or a function"
            )
        value = activation_definition(read_activation(text)).spelled({"z": below})
        return Made({f"H{number}": value})

    def _add(self, built: _Built, nodes: dict[str, Any], made: Made) -> None:
        for w in made.weights:
            if w.name in built.weights:
                raise ParseError(f"two layers have a parameter {w.name}")
            built.weights[w.name] = w
            nodes[w.name] = symbol(w.name, w.shape)
            nodes |= {k: v for k, v in scope([nodes[w.name]]).items() if k not in nodes}
        for name, like, kept in made.masks:
            built.masks[name] = nodes[like].shape, kept
            nodes[name] = symbol(name, nodes[like].shape, {"constant"})
        for name, text in made.lines.items():
            nodes[name] = named(name, read_node(Source.read(text), nodes))
            built.lines[name] = text
        if made.running is not None:
            value, states, text = made.running
            built.running |= {n: "" for n in made.lines if n != value} | {value: text}
            channels = made.weights[0].shape
            built.state |= dict.fromkeys(states, channels)

    # ---- what it is made of

    @cached_property
    def roles(self) -> dict[str, Weight]:
        """Each parameter by name."""
        return dict(self._built.weights)

    @property
    def parameters(self) -> tuple[str, ...]:
        """What `derive` differentiates with respect to."""
        return tuple(self._built.weights)

    @property
    def masks(self) -> dict[str, tuple[Shape, float]]:
        """The masks of dropout: their shapes, and the share of entries that is kept. Their mean is one."""
        return dict(self._built.masks)

    @property
    def state(self) -> dict[str, Shape]:
        """The running means and variances that a prediction is made with, m1, v1, ...: the shapes of these arrays."""
        return dict(self._built.state)

    @property
    def target(self) -> str:
        """The name of the targets: y, or Y."""
        return "y" if self.targets == "labels" else "Y"

    @property
    def output(self) -> str:
        """The name of the logits, the last value."""
        return self._built.output

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of data, parameters, masks and targets."""
        found: dict[str, Shape] = {"X": (self.batch, *self.input_shape)}
        found |= {w.name: w.shape for w in self._built.weights.values()}
        found |= {name: shape for name, (shape, _) in self._built.masks.items()}
        found[self.target] = self._built.shape[:-1] if self.targets == "labels" else self._built.shape
        return found | ({self.l2: ()} if isinstance(self.l2, str) else {})

    @cached_property
    def assume(self) -> dict[str, str]:
        """What is declared of the data."""
        found = {"X": "labels"} if self.input_labels else {}
        known = {"labels": "labels", "probabilities": "simplexrows"}.get(self.targets)
        found |= {self.target: known} if known else {}
        found |= dict.fromkeys(self._built.masks, "constant")
        return found | ({self.l2: "constant"} if isinstance(self.l2, str) else {})

    @cached_property
    def text(self) -> str:
        """The network in the expression language."""
        counts = {"N": str(self.batch), "C": str(self._built.shape[-1])} if self.loss in LOSSES else {}
        words = {"Z": self.output, "Y": self.target, "y": self.target}
        value = definition(self.row.batch).spelled(words | counts)
        if self.l2 != 0:
            squares = [f"sum({w.name}**2)" for w in self._built.weights.values() if w.penalised]
            value += f" + {self.l2}*({' + '.join(squares)})" if squares else ""
        return "\n".join([*(f"{n} = {t}" for n, t in self._built.lines.items()), f"L = {value}"])

    @cached_property
    def expression(self) -> Expression:
        """The loss L, with the named intermediates."""
        f = parse(self.text, self.shapes, self.assume)
        if f.shape != ():
            raise ShapeError(f"the loss {self.loss} is not a scalar: {show_shape(f.shape)}", "sum or mean makes one")
        return f

    @cached_property
    def logits(self) -> Expression:
        """The last value, as in a prediction: no entry is left out, and statistics are the running ones."""
        return self._predicted("Z")

    @cached_property
    def prediction(self) -> Expression:
        """Probabilities, rates, or values: what the loss takes the logits for."""
        return self._predicted(self.row.link)

    def _predicted(self, link: str) -> Expression:
        skipped = {self.target, self.l2, *self._built.masks}
        shapes = {n: s for n, s in self.shapes.items() if n not in skipped} | self.state
        inputs = declare(shapes, {"X": "labels"} if self.input_labels else {})
        nodes: dict[str, Any] = {**scope(inputs.values()), **inputs}
        for name, text in self._built.lines.items():
            text = self._built.running.get(name, text)
            for mask in self._built.masks:
                text = text.removesuffix(f"*{mask}")
            if text:
                nodes[name] = named(name, read_node(Source.read(text), nodes))
        value = definition(link).of({"Z": nodes[self.output]})
        return finish(value, tuple(inputs.values()), self.output if value is nodes[self.output] else "f")

    # ---- what `derive(net)` has, for those who hold a network

    def code(self, target: str = "numpy", **options: Any) -> str:
        """Source of the loss and its gradients with respect to the parameters."""
        from byhand.derive.derivation import derive

        return derive(self).code(target, **options)

    def function(self, target: str = "numpy", **options: Any) -> Callable[..., tuple[Any, dict[str, Any]]]:
        """callable(**arrays) -> (loss, {parameter: gradient})."""
        from byhand.derive.derivation import derive

        return derive(self).function(target, **options)

    def __call__(self, **arrays: Any) -> Any:
        """The loss for the given arrays."""
        return self.expression(**arrays)

    def __repr__(self) -> str:
        shape = " ".join(map(str, self.input_shape))
        shown = f"labels {shape}" if self.input_labels else shape
        return f"Network({' | '.join(self.words)!r}, loss={self.loss!r}, input={shown!r})"

    # ---- parameters as arrays

    def init(
        self, seed: int | None = None, dtype: Any = np.float64, sizes: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """Starting values: weights normal with variance 2/inputs (He et al., 2015), biases 0, gains 1.

        Raises: DataError: a symbolic size without a value.
        """
        rng = np.random.default_rng(whole_number(self.seed if seed is None else seed, "the seed", most=2**128))
        known = {
            n: whole_number(k, f"the size of {n}", 1) for n, k in mapping(sizes, "sizes", "sizes={'D': 100}").items()
        }
        values: dict[str, Any] = {}
        for w in self._built.weights.values():
            shape = tuple(self._size(d, known) for d in w.shape)
            if w.role == "weight":
                values[w.name] = (rng.standard_normal(shape) * np.sqrt(2 / self._size(w.fan, known))).astype(dtype)
            else:
                values[w.name] = np.full(shape, 1.0 if w.role == "gain" else 0.0, dtype)
        return values

    def _size(self, d: Dim, known: Mapping[str, int]) -> int:
        missing = sorted(dim_names(d) - set(known))
        if missing:
            raise DataError(f"the size of {missing[0]} is unknown", f"init(sizes={{{missing[0]!r}: 100}})")
        return dim_value(d, known)

    def draw_masks(self, rng: np.random.Generator, sizes: Mapping[str, int]) -> dict[str, Any]:
        """Masks of dropout for one step: an entry is 0, or one over the share that is kept."""
        found = {}
        for name, (shape, kept) in self._built.masks.items():
            found[name] = (rng.random([self._size(d, sizes) for d in shape]) < kept) / kept
        return found


def _need_places(name: str, words: tuple[str, ...], usage: str) -> None:
    """Raises: ParseError: a word that has no place in how the layer is written."""
    places = [w for w in usage.split()[1:] if "=" not in w]
    for k, word in enumerate(words):
        literal = k < len(places) and places[k].startswith("[") and places[k] != f"[{word}]"
        if k >= len(places) or literal:
            raise ParseError(f"{name} has no use for {word[:20]}", f"it is written {usage}")


def _layer_texts(layers: Any) -> tuple[str, ...]:
    if isinstance(layers, str):
        layers = layers.split("|")
    given = list(layers) if isinstance(layers, Iterable) else []
    texts = tuple(x.strip() for x in given if isinstance(x, str))
    if len(texts) < len(given) or not all(texts) or not texts:
        raise ParseError("layers are texts: ['dense 300', 'relu', 'dense 10'], or one text with | between them")
    return texts


def _is_sequence(x: Any) -> bool:
    return isinstance(x, (tuple, list))


def _distinct(made: Made, built: _Built) -> Made:
    """The lines of a layer under names that no other layer has: H1, H1_, ..."""
    renamed: dict[str, str] = {}
    lines: dict[str, str] = {}
    for name, text in made.lines.items():
        new = name
        while new in built.lines or new in lines:
            new += "_"
        for old, put in renamed.items():
            text = re.sub(rf"\b{old}\b", put, text)
        if new != name:
            renamed[name] = new
        lines[new] = text
    running = made.running
    if running is not None and running[0] in renamed:
        running = (renamed[running[0]], *running[1:])
    return made._replace(lines=lines, running=running)


__all__ = ["Network"]
