"""Layers as functions from an expression to an expression, with their parameters and what each parameter is for.

A kind is a definition in byhand's own language over x, what the layer is applied to. Networks are made of kinds by
giving names to what the definitions leave open; whoever trains, exports or examines a network asks for roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from byhand.expr.dims import Dim, Shape
from byhand.expr.nodes import Expr
from byhand.nets.definition import Definition, definition

Role = Literal["weight", "bias"]


class Parameter(NamedTuple):
    """What is trained.

    Attributes:
        name, shape: "W1", (inputs, outputs).
        role: "weight" or "bias".
        penalised: whether its square is part of the penalty.
    """

    name: str
    shape: Shape
    role: Role
    penalised: bool


class Kind(NamedTuple):
    """A kind of layer.

    Attributes:
        definition: of its value, in x and the formal names of its parameters and masks.
        parameters: the rows of its parameters for so many inputs and outputs, under their formal names.
        words: what it is.
    """

    definition: str
    parameters: tuple[tuple[str, Role, bool], ...]
    words: str


KINDS: dict[str, Kind] = {
    "dense": Kind("x @ W + b", (("W", "weight", True), ("b", "bias", False)), "an affine map of each sample"),
    "linear": Kind("x @ W", (("W", "weight", True),), "a linear map of each sample"),
    "dropout": Kind("x * D", (), "units left out by a mask D, whose mean is one"),
}


class Line(NamedTuple):
    """A named intermediate of a network: definitions applied one after the other, each to the value of that before.

    Attributes:
        name: of the intermediate, "Z1".
        below: the name of what the first definition is applied to.
        definitions: each with the words for its formal names, x or z left out.
    """

    name: str
    below: str
    definitions: tuple[tuple[Definition, Mapping[str, str]], ...]

    def of(self, nodes: Mapping[str, Any]) -> Expr:
        """The value, for nodes by name."""
        value: Expr = nodes[self.below]
        for made, words in self.definitions:
            value = made.of({formal: nodes[word] for formal, word in words.items()} | {"x": value, "z": value})
        return value

    @property
    def text(self) -> str:
        """In the expression language."""
        value = self.below
        for made, words in self.definitions:
            value = made.spelled({**words, "x": value, "z": value})
        return f"{self.name} = {value}"


class Layer(NamedTuple):
    """A layer with weights, and what stands behind it.

    Attributes:
        inputs, outputs: its sizes.
        parameters: of this layer.
        linear: the name of its value before the activation, "Z1".
        activation: a name, or an expression in z.
        output: the name of its value, "H1"; that of `linear` where nothing is applied to it.
        lines: the intermediates that it adds.
    """

    inputs: Dim
    outputs: Dim
    parameters: tuple[Parameter, ...]
    linear: str
    activation: str
    output: str
    lines: tuple[Line, ...]

    @property
    def weight(self) -> str:
        """The name of its weights."""
        return next(p.name for p in self.parameters if p.role == "weight")

    @property
    def bias(self) -> str | None:
        """The name of its biases, None where it has none."""
        return next((p.name for p in self.parameters if p.role == "bias"), None)


def dense(number: int, below: str, inputs: Dim, outputs: Dim, bias: bool, name: str) -> tuple[Line, list[Parameter]]:
    """The affine or linear map of a layer, called `name`, and its parameters."""
    kind = KINDS["dense" if bias else "linear"]
    shapes: dict[Role, Shape] = {"weight": (inputs, outputs), "bias": (outputs,)}
    words = {formal: f"{formal}{number}" for formal, _, _ in kind.parameters}
    made = [Parameter(words[formal], shapes[role], role, penalised) for formal, role, penalised in kind.parameters]
    return Line(name, below, ((definition(kind.definition), words),)), made


__all__ = ["KINDS", "Kind", "Layer", "Line", "Parameter", "Role", "dense"]
