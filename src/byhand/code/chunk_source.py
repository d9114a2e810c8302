"""Programs in chunks of rows as source, for NumPy and PyTorch: one function, with one loop over the rows."""

from __future__ import annotations

from dataclasses import replace

from byhand.code.chunks import Chunks, Sum, in_chunks
from byhand.code.kernels import kernel_source
from byhand.code.layout import (
    INDENT,
    WIDEST,
    aligned,
    blocks,
    docstring,
    file_source,
    formula_of,
    function_source,
    indented,
    return_lines,
    signature,
    size_lines,
    spread,
    title,
)
from byhand.code.numpy import NumpyWriter
from byhand.code.python import literal
from byhand.code.source import IMPORTS, fit
from byhand.code.statements import Listing, Statement, reads
from byhand.code.torch import TorchWriter
from byhand.code.torch_idioms import changed, last_reads, matrices, released
from byhand.code.torch_module import module_source
from byhand.code.writer import Writer
from byhand.expr.dims import show_shape
from byhand.program.ops import Input

NOTE = "The logits are computed for {size} of the {rows} rows at a time and never held whole."


def numpy_chunks(program: Listing, size: int, source: object = None) -> str:
    """The source of a program for NumPy, its logits in chunks of rows; the same whatever `source` was derived."""
    del source
    chunks = _noted(in_chunks(fit(program, NumpyWriter, 2), size))
    w, body = _function(chunks, NumpyWriter, [])
    kernels = [kernel_source(k) for k in sorted(w.kernels)]
    return file_source(title(program), IMPORTS["numpy"], [*kernels, body])


def torch_chunks(program: Listing, size: int, source: object = None) -> str:
    """The source of a program for PyTorch, its logits in chunks of rows; a network gets a module."""
    chunks = _with_idioms(_noted(in_chunks(fit(program, TorchWriter, 2), size)))
    w, body = _function(chunks, TorchWriter, ["@torch.no_grad()"])
    kernels = [kernel_source(k, "torch") for k in sorted(w.kernels)]
    names = [program.names[s] for s in program.inputs]
    call = function_source(
        signature("value", names),
        [f'"""{program.value}, for autograd."""', *spread("return Value.apply(", names, ")", 1)],
    )
    module = module_source(source, program)
    return file_source(title(program), IMPORTS["torch"], [*kernels, body, _autograd(program, names), call, *module])


def _noted(chunks: Chunks) -> Chunks:
    note = NOTE.format(size=chunks.size, rows=chunks.samples)
    return replace(chunks, program=replace(chunks.program, notes=(*chunks.program.notes, note)))


def _with_idioms(chunks: Chunks) -> Chunks:
    """What PyTorch has one call for; what nothing reads any more is left out."""
    before, loop, after = (
        tuple(changed(chunks.program.pool, list(part))) for part in (chunks.before, chunks.loop, chunks.after)
    )
    read = reads(*(s.op for s in (*before, *loop, *after)), *(s.part for s in chunks.sums))
    kept = tuple(s for s in loop if s.leaf in read)
    return replace(chunks, before=before, loop=kept, after=after)


def _function(chunks: Chunks, writer: type[Writer], decorators: list[str]) -> tuple[Writer, str]:
    """The function of value and gradients."""
    program = chunks.program
    w = writer(program)
    w.made = {s.leaf: s for s in (*chunks.before, *chunks.loop, *(s.statement for s in chunks.sums), *chunks.after)}
    order = _in_order(chunks)
    readers = [s if isinstance(s, Statement) else replace(s.statement, op=s.part) for s in order]
    w.in_place = last_reads(readers) if writer.writes_in_place else {}
    w.released = released(readers, w.in_place.values())
    before = blocks(w, [chunks.before])
    starts = [f"{s.statement.name} = {_start(w, s)}" for s in chunks.sums]
    steps = _steps(w, order)
    samples = w.size(str(chunks.samples))
    count = program.dims[str(chunks.rows)]
    head = [f"rows = slice(start, start + {chunks.size})"]
    if str(chunks.rows) in w.dims:
        head.append(f"{count} = min({chunks.size}, {samples} - start)")
    loop = [f"for start in range(0, {samples}, {chunks.size}):", *indented([*head, *steps])]
    after = blocks(
        w, [[s for s in chunks.after if s.section == section] for section in ("forward", "value", "backward")]
    )
    lines = [
        *docstring(program),  # formulas and shapes of the whole
        *size_lines(w, program.inputs, {str(chunks.rows)}),
        *before,
        "",
        *starts,
        *loop,
        *after,
        "",
        *return_lines(program),
    ]
    names = [program.names[s] for s in program.inputs]
    return w, function_source([*decorators, *signature(program.function, names)], lines)


def _start(w: Writer, s: Sum) -> str:
    shape = s.statement.shape
    return w.filled(literal("0"), shape, s.statement.result) if shape else "0.0"


def _in_order(chunks: Chunks) -> list[Statement | Sum]:
    """The statements of the loop, and each sum as soon as all that it reads is there."""
    inner = {s.leaf for s in chunks.loop}
    order: list[Statement | Sum] = []
    known: set[Input] = set()
    waiting = [*chunks.sums]
    for s in chunks.loop:
        order.append(s)
        known.add(s.leaf)
        ready = [x for x in waiting if inner & reads(x.part).keys() <= known]
        order += ready
        waiting = [x for x in waiting if x not in ready]
    return order


def _steps(w: Writer, order: list[Statement | Sum]) -> list[str]:
    """The body of the loop."""
    block: list[tuple[str, str, str]] = []
    for s in order:
        statement = s if isinstance(s, Statement) else s.statement
        code = w.statement(s) if isinstance(s, Statement) else _grown(w, s)
        block.append((code, formula_of(statement, w.program), show_shape(statement.shape)))
        if statement.leaf in w.released:
            block.append((f"del {', '.join(w.released[statement.leaf])}", "", ""))
    return aligned(block, WIDEST - 2 * len(INDENT))


def _grown(w: Writer, s: Sum) -> str:
    """dW += ..., dH[rows] = ..."""
    name = s.statement.name
    right = w.full(s.part)
    if s.rows:
        return f"{name}[rows] = {right.text}"
    pair = matrices(w.pool, s.part) if w.writes_in_place else None
    if pair is not None:
        return f"{name}.addmm_({', '.join(w.full(a).text for a in pair)})"
    return f"{name} += {right.text}"


def _autograd(program: Listing, names: list[str]) -> str:
    """The class that autograd calls: the gradients are computed with the value, and multiplied later."""
    held = program.results
    given = [f"d{program.value} * {held[s.name]}" if s.name in held else "None" for s in program.inputs]
    missing = [k for k, s in enumerate(program.inputs) if s.name not in held and "labels" not in s.assumptions]
    listed = [program.names[program.inputs[k]] for k in missing]
    refusal: list[str] = []
    if missing:
        asked = " or ".join(f"ctx.needs_input_grad[{k}]" for k in missing)
        shown = " and ".join([*listed[:3], *(["..."] if len(listed) > 3 else [])])
        message = f'"no gradient was derived with respect to {shown}: name it in byhand.derive(f, wrt)"'
        refusal = [f"if {asked}:", *indented(spread("raise NotImplementedError(", [message], ")", 3))]
    gradients = [*held.values()]
    unpack = (
        f"{', '.join(gradients)} = ctx.saved_tensors"
        if len(gradients) > 1
        else f"({gradients[0]},) = ctx.saved_tensors"
    )
    forward = [
        *refusal,
        *spread(f"{program.value}, gradients = value_and_gradients(", names, ")", 2),
        "ctx.save_for_backward(*gradients.values())",
        f"return {program.value}",
    ]
    backward = [unpack, *spread("return (", given, ")" if len(given) > 1 else ",)", 2)]
    return "\n".join(
        [
            "class Value(torch.autograd.Function):",
            f'{INDENT}"""{program.value} for autograd: its gradients are computed with it, and once only."""',
            "",
            f"{INDENT}@staticmethod",
            *_method(signature("forward", ["ctx", *names], 1), forward),
            "",
            f"{INDENT}@staticmethod",
            f"{INDENT}@torch.autograd.function.once_differentiable",
            *_method(signature("backward", ["ctx", f"d{program.value}"], 1), backward),
        ]
    )


def _method(head: list[str], lines: list[str]) -> list[str]:
    return indented(function_source(head, lines).split("\n"))


__all__ = ["numpy_chunks", "torch_chunks"]
