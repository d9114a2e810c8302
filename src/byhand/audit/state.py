"""What is known at a line: declared shapes, definitions, the loss; and the numbers behind them at several points."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from byhand.audit.spelling import NAME
from byhand.check.draw import PRIMES
from byhand.check.numeric import Environment, Slope
from byhand.derive.derivation import Derivation, derive
from byhand.errors import ParseError, nearest
from byhand.expr.assume import sample
from byhand.expr.contraction import elementwise
from byhand.expr.dims import Dim, Dimension, Shape, dim_names, dim_value, named_dimension
from byhand.expr.expression import Expression, substitute
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Elementwise, Expr, Named, Structured, Symbol, symbol, symbols_of, topological
from byhand.expr.operands import lift
from byhand.expr.vocabulary import VOCABULARY
from byhand.rules.differentials import slope

Array = Any
SEEDS = 2
_FIXED = frozenset({"constant", "labels"})


@dataclass(eq=False)
class State:
    """The declarations and definitions so far.

    Attributes:
        generic: the elementwise function that functions declared without a formula (σ) stand for.
        equal: whether all dimensions have one size: types then no longer tell matrices apart.
        inputs, nodes: declared arrays; defined names.
        functions: declared functions.
        ranges: name -> (lowest, highest) value of data.
        extra: shapes declared for what is not an input (gradients, Jacobians).
        met: the derivatives that occurred so far: a name may stand for one, δ = ∂L/∂z.
    """

    generic: str = "tanh"
    equal: bool = False
    inputs: dict[str, Symbol] = field(default_factory=dict)
    nodes: dict[str, Expr] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    dims: set[str] = field(default_factory=set)
    loss: str | None = None
    mentions: set[str] = field(default_factory=set)
    named_left: set[str] = field(default_factory=set)
    memo: dict[Any, Any] = field(default_factory=dict)
    met: dict[str, Symbol] = field(default_factory=dict)

    # ---- names

    def names(self) -> dict[str, Any]:
        """What may stand in a line, apart from differentials and derivatives."""
        found: dict[str, Any] = {
            d: self.dim(named_dimension(d)) for d in self.dims if d not in self.inputs and d not in self.nodes
        }
        for f in self.functions:
            found[f] = lambda x: elementwise(self.generic, lift(x))
            found[f"prime_{f}"] = partial(_prime, self.generic)
        found |= {f"prime_{f}": partial(_prime, f) for f in FUNCTIONS}
        return {**found, **self.inputs, **self.nodes}

    def scalars(self) -> set[str]:
        """Names of dimensions and of what has no axes."""
        known = {**self.inputs, **self.nodes}
        return {n for n, x in known.items() if not x.ndim} | {d for d in self.dims if d not in known}

    def lookup(self, name: str) -> Expr:
        """A declared or defined array.

        Raises: ParseError: unknown.
        """
        known = {**self.inputs, **self.nodes}
        if name not in known:
            raise ParseError(
                f"unknown name {name}{nearest(name, list(known))}", f"declare it, `{name}: (m, n)`, or define it above"
            )
        return known[name]

    def marks(self, text: str, gradients: bool) -> dict[str, Symbol]:
        """The differentials and derivatives that occur in a text, as symbols; `dX` is a gradient or a differential."""
        found: dict[str, Symbol] = {}
        known = {**self.inputs, **self.nodes}
        for word in dict.fromkeys(re.findall(NAME, text)):
            if word.startswith("D__"):
                y, x = self.derivative(word)
                found[word] = symbol(f"∂{y}/∂{x}", self.derivative_shape(y, x))
            elif word.startswith("d") and word[1:] in known and word not in known and word not in VOCABULARY:
                kind = "∂" if gradients else "d"
                found[word] = symbol(f"{kind}{word[1:]}", self.lookup(word[1:]).shape)
        self.met |= found
        return found

    def derivative(self, word: str) -> tuple[str, str]:
        """`D__L__W2` as (L, W2); without the upper name it is the loss."""
        parts = word[3:].split("__", 1) if not word.startswith("D____") else ["", word[5:]]
        y, x = parts[0] or self.loss or "", parts[1]
        if not y:
            raise ParseError(f"the derivative with respect to {x}: of what? no scalar has been defined above")
        self.lookup(y), self.lookup(x)
        return y, x

    def derivative_shape(self, y: str, x: str) -> Shape:
        """Of a scalar: the shape of x; of an array: the output's axes, then the input's, without axes of one."""
        over, under = self.lookup(y).shape, self.lookup(x).shape
        if set(over) <= {1}:
            return under
        if set(under) <= {1}:
            return over
        return tuple(d for d in (*over, *under) if d != 1)

    def dim(self, d: Dim) -> Dim:
        """A dimension; where all are equal, the one that stands for all."""
        return named_dimension("n") if self.equal and isinstance(d, Dimension) else d

    # ---- numbers

    def sizes(self, seed: int) -> dict[str, int]:
        """Pairwise distinct primes, or one size for all."""
        if self.equal:
            return dict.fromkeys((*self.dims, "n"), 5)
        order = np.random.default_rng((seed, 41)).permutation(sorted(self.dims))
        return {str(d): PRIMES[k] for k, d in enumerate(order)}

    def environment(self, seed: int) -> Environment:
        """The values of all nodes."""
        key = ("env", seed, len(self.inputs))
        if key not in self.memo:
            rng, sizes = np.random.default_rng((seed, 42)), self.sizes(seed)
            values: dict[Expr, Array] = {}
            for name, s in self.inputs.items():
                shape = tuple(dim_value(d, sizes) for d in s.shape)
                if s.assumptions - {"constant"}:
                    values[s] = sample(s.assumptions, rng, shape, 3)
                elif name in self.ranges:
                    values[s] = rng.uniform(*self.ranges[name], shape)
                else:
                    x = rng.standard_normal(shape)
                    values[s] = x / np.sqrt(max(shape)) if len(shape) > 1 and 1 not in shape else x
            self.memo[key] = Environment(values, sizes)
        found: Environment = self.memo[key]
        return found

    def direction(self, seed: int) -> dict[Expr, Array]:
        """Random differentials of the inputs that move: those with a differential in the text, and all below them."""
        env, rng = self.environment(seed), np.random.default_rng((seed, 43))
        moving = {n for m in self.mentions if m in self.nodes for n in self.below(m)} | self.mentions | self.named_left
        free = [
            s
            for n, s in self.inputs.items()
            if n in moving and not s.assumptions & _FIXED and np.asarray(env[s]).dtype.kind == "f"
        ]
        return {s: rng.standard_normal(np.shape(env[s])) for s in free}

    def mention(self, text: str) -> None:
        """Remember the names whose differentials occur in a text: dX, and all in d(...)."""
        left, *right = text.split("=")
        self.named_left |= {left.strip()[1:]} if left.strip().startswith("d") else set()
        self.mentions |= {
            w[1:] for w in re.findall(NAME, " ".join(right)) if w.startswith("d") and not w.startswith("D__")
        }
        for found in re.finditer(r"(?<!\w)d\(", text):
            depth, k = 1, found.end()
            while k < len(text) and depth:
                depth += (text[k] == "(") - (text[k] == ")")
                k += 1
            self.mentions |= set(re.findall(NAME, text[found.end() : k]))

    def tangent(self, node: Expr, seed: int) -> Array:
        """d(node) along the random differentials of the inputs."""
        direction = self.direction(seed)
        return Slope(node, direction).along(self.environment(seed), direction)

    def gradient(self, y: str, x: str, seed: int) -> Array:
        """The derivative of y with respect to x, by derivation for scalars and by complex step for arrays."""
        over, under = self.lookup(y), self.lookup(x)
        env = self.environment(seed)
        if set(over.shape) <= {1}:
            d = self.derivation(y, x)
            values: dict[Expr, Array] = {
                **{s: env[s] for s in self.inputs.values()},
                **({d.variables[0]: env[under]} if isinstance(under, Named) else {}),
            }
            found = Environment(values, env.sizes)[d.gradient.root]
            return np.asarray(found)
        leaf = under
        out, shape = np.asarray(env[over]), np.shape(env[under])
        if not isinstance(leaf, (Symbol, Named)):
            raise ParseError(f"{x} is no variable")
        slope_ = Slope(over, [leaf])
        columns = np.zeros((*out.shape, *shape))
        for i in np.ndindex(shape):
            e = np.zeros(shape)
            e[i] = 1.0
            columns[(..., *i)] = slope_.along(env, {leaf: e})
        wanted = tuple(dim_value(d, env.sizes) for d in self.derivative_shape(y, x))
        return columns.reshape(wanted)

    def derivation(self, y: str, x: str) -> Derivation:
        """The derivation of a scalar with respect to one name, as if it were an input."""
        key = ("derivation", y, x)
        if key not in self.memo:
            root, under = self.lookup(y), self.lookup(x)
            scalar = root if not root.ndim else VOCABULARY["sum"](root)
            if isinstance(under, Named):
                scalar = substitute(scalar, {under: symbol(x, under.shape)})
            if x not in {s.name for s in symbols_of(scalar)}:
                inputs = (symbol(x, under.shape, under.assumptions if isinstance(under, Symbol) else ()),)
                self.memo[key] = derive(Expression(scalar, inputs, y), x)
            else:
                self.memo[key] = derive(Expression(scalar, (), y), x)
        found: Derivation = self.memo[key]
        return found

    def value(self, node: Expr, marks: Mapping[str, Symbol], tangents: Mapping[Symbol, Expr], seed: int) -> Array:
        """The value of a side: derivatives and differentials have their true values."""
        env = self.environment(seed)
        known = dict(env.known)
        occurring = {n for n in topological([node]) if isinstance(n, Symbol)}
        for word, s in {**self.met, **marks}.items():
            if s not in occurring:
                continue
            if s.name.startswith("d"):
                known[s] = self.tangent(self.lookup(word[1:]), seed)
            elif word.startswith("D__"):
                known[s] = self.gradient(*self.derivative(word), seed)
            else:
                assert self.loss is not None
                known[s] = self.gradient(self.loss, word[1:], seed)
        for s, arg in tangents.items():
            if s in occurring:
                known[s] = self.tangent(arg, seed)
        return Environment(known, env.sizes)[node]

    # ---- what depends on what

    def below(self, name: str) -> set[str]:
        """The names that a defined name is made of."""
        root = self.lookup(name)
        return {n.name for n in topological([root]) if isinstance(n, (Symbol, Named)) and n is not root}

    def define(self, name: str, node: Expr) -> None:
        """A new name."""
        from byhand.expr.nodes import named

        self.nodes[name] = named(name, node) if not isinstance(node, Symbol) else node
        if set(node.shape) <= {1}:
            self.loss = name

    def new_dims(self, shape: Shape) -> None:
        """Dimensions that a declaration brings."""
        self.dims |= {n for d in shape for n in dim_names(d)}


def _prime(function: str, x: Any) -> Expr:
    node = lift(x)
    return slope(function, node, elementwise(function, node))


__all__ = ["Callable", "Elementwise", "State", "Structured"]
