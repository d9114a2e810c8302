"""The two functions of a pullback as source: forward with its docstring, backward from what forward saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from byhand.code.layout import (
    arguments,
    blocks,
    formulas,
    function_source,
    signature,
    size_lines,
    spread,
    tuple_lines,
    wrapped,
)
from byhand.code.pullback import Pullback
from byhand.code.python import dim_code
from byhand.code.source import fit
from byhand.code.statements import Statement
from byhand.code.torch_idioms import in_place, released
from byhand.code.writer import Writer
from byhand.expr.dims import Dim, add_dims, multiply_dims, show_shape
from byhand.expr.sizes import telling
from byhand.program.ops import Input

FLOAT32_BYTES = 4
RESERVED = frozenset(
    {"forward", "backward", "value", "Value", "Network", "saved", "ctx", "self", "guarded"}
    | {"device", "name", "gradient", "gradients", "parameter", "super", "getattr", "float"}
)


@dataclass(frozen=True, slots=True)
class TwoFunctions:
    """What a target builds its file of.

    Attributes:
        forward, backward: the source of the two functions.
        kernels: names of the kernels that they call.
        saved: identifiers of what passes from one to the other.
        inputs: identifiers of the arguments of forward.
        gradients: identifier of each gradient, or "None", in the order of the inputs.
        derived: the inputs that have a gradient.
        underived: the inputs of numbers that have none.
    """

    pullback: Pullback
    forward: str
    backward: str
    kernels: tuple[str, ...]
    saved: tuple[str, ...]
    inputs: tuple[str, ...]
    gradients: tuple[str, ...]
    derived: tuple[str, ...]
    underived: tuple[str, ...]

    @property
    def value(self) -> str:
        """The identifier of the value."""
        value = self.pullback.program.value
        assert value is not None
        return value

    @property
    def refusal(self) -> str:
        """What is said where a gradient is asked for that is not there."""
        names = [*self.underived[:3], *(["..."] if len(self.underived) > 3 else [])]
        return f"no gradient was derived with respect to {_listed(names)}: name it in byhand.derive(f, wrt)"

    @property
    def upstream(self) -> str:
        """The identifier of its adjoint."""
        return self.pullback.program.leaves[self.pullback.upstream].name


def two_functions(pullback: Pullback, writer: type[Writer], packed: bool) -> TwoFunctions:
    """Both functions in a target's language.

    Args:
        pullback: what is printed.
        writer: of the target.
        packed: whether backward takes what was saved as one tuple before the adjoint: as JAX calls it.
    """
    pullback = replace(pullback, program=fit(pullback.program, writer))
    program = pullback.program
    back = writer(program)
    read = pullback.saved()
    back.arrays.sort(key=lambda s: program.leaves[s] not in read)
    if writer.writes_in_place:
        back.released = released(pullback.backward)
    body = blocks(back, [pullback.backward])
    saved = _with_sizes(pullback, back)
    kept = {*saved, *(s.leaf for s in pullback.forward if s.name == program.value)}
    front = writer(program)
    if writer.writes_in_place:
        front.in_place = in_place(pullback.forward, kept)
    steps, last = _sections(pullback.forward)
    written = blocks(front, [steps, last])
    names = [leaf.name for leaf in saved]
    held = program.results
    given = [held.get(s.name, "None") for s in program.inputs]
    inputs = tuple(program.names[s] for s in program.inputs)
    upstream = program.names[pullback.upstream]

    forward = function_source(
        signature("forward", inputs),
        [
            *_forward_words(pullback, saved),
            *size_lines(front, program.inputs),
            *written,
            "",
            *spread(f"return {program.value}, (", names, ",)" if len(names) == 1 else ")", 1),
        ],
    )
    backward = function_source(
        signature("backward", ["saved", upstream] if packed else [upstream, *names]),
        [
            *_backward_words(pullback, given),
            *(tuple_lines("", names, " = saved", 1) if packed and names else []),
            *size_lines(back, saved),
            *body,
            "",
            *tuple_lines("return ", given, "", 1),
        ],
    )
    derived = tuple(i for i, g in zip(inputs, given, strict=True) if g != "None")
    others = tuple(program.names[s] for s in program.inputs if s.name not in held and "labels" not in s.assumptions)
    kernels = tuple(sorted({*front.kernels, *back.kernels}))
    return TwoFunctions(pullback, forward, backward, kernels, tuple(names), inputs, tuple(given), derived, others)


def _sections(statements: Iterable[Statement]) -> tuple[list[Statement], list[Statement]]:
    statements = list(statements)
    return [s for s in statements if s.section == "forward"], [s for s in statements if s.section == "value"]


def _with_sizes(pullback: Pullback, w: Writer) -> list[Input]:
    """What is saved, with inputs that are asked for their type, and for sizes that nothing else has."""
    touched: set[Input] = {*w.mentioned}
    saved = pullback.saved(touched)
    leaves = [pullback.program.leaves[s] for s in pullback.program.inputs]
    others = [(leaf, leaf.shape) for leaf in leaves if leaf not in saved]
    return pullback.saved(touched | {*telling(w.dims, [leaf.shape for leaf in saved], others)})


def _forward_words(pullback: Pullback, saved: list[Input]) -> list[str]:
    program = pullback.program
    inputs = {program.leaves[s] for s in program.inputs}
    kept = [x.name for x in saved if x in inputs]
    made = [x for x in saved if x not in inputs]
    parts = [f"{_listed(kept)} as given"] if kept else []
    if made:
        listed = _listed([f"{x.name} {show_shape(x.shape)}" for x in made])
        parts.append(f"{listed}, {_bytes(made)} in float32")
    lines = [
        f'"""{program.value}, and what its gradients are computed from.',
        "",
        *formulas(program),
        *arguments(program),
    ]
    text = f"{program.value}, a scalar, and a tuple for `backward`: {'; '.join(parts) or 'empty'}."
    return [*lines, "Returns:", *wrapped(text), '"""']


def _backward_words(pullback: Pullback, gradients: list[str]) -> list[str]:
    program = pullback.program
    upstream, value = program.names[pullback.upstream], program.value
    shapes = {program.names[s]: s.shape for s in program.inputs}
    pairs = list(zip(shapes, gradients, strict=True))
    listed = ", ".join(f"{g} {show_shape(shapes[n])}" for n, g in pairs if g != "None")
    rest = _listed([n for n, g in pairs if g == "None"])
    ending = f"; None for {rest}, whose gradients were not derived" if rest else ""
    return [
        f'"""The gradients of ℓ, whatever is computed from {value}, where {upstream} = ∂ℓ/∂{value}.',
        "",
        "Returns:",
        *wrapped(f"One for each argument of `forward`: {listed}{ending}."),
        '"""',
    ]


def _bytes(leaves: Iterable[Input]) -> str:
    """The memory of arrays: a number, or a formula in the dimensions."""
    total: Dim = 0
    for leaf in leaves:
        size: Dim = FLOAT32_BYTES
        for d in leaf.shape:
            size = multiply_dims(size, d)
        total = add_dims(total, size)
    return f"{dim_code(total, str).text} bytes"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def value_and_gradients(two: TwoFunctions, body: Iterable[str]) -> str:
    """The function that returns the value and a dict of gradients; `body` are the lines before it returns."""
    items = [f'"{n}": {held}' for n, held in two.pullback.program.results.items()]
    last = spread(f"return {two.value}, {{", items, "}", 1)
    words = f'"""{two.value}, and a dict of its gradients by name."""'
    return function_source(signature("value_and_gradients", two.inputs), [words, *body, *last])


def unpacked(two: TwoFunctions, right: str, depth: int) -> list[str]:
    """dW, db = right, with _ for what has no gradient."""
    names = ["_" if g == "None" else g for g in two.gradients]
    lines = tuple_lines("", names, f" = {right}", depth)
    return lines if len(lines) == 1 else [f"gradients = {right}", *tuple_lines("", names, " = gradients", depth)]


__all__ = ["RESERVED", "TwoFunctions", "two_functions", "unpacked", "value_and_gradients"]
