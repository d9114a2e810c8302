"""A program as one C99 file: sizes, small functions, memory, and the functions that people call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from byhand.arguments import mapping, shown, whole_number
from byhand.code.c.comments import head_comment, statement_comment
from byhand.code.c.cut import cut
from byhand.code.c.functions import KERNELS, with_needed
from byhand.code.c.identifiers import CIdentifiers
from byhand.code.c.loops import INDENT, Body
from byhand.code.c.memory import DTYPES, LARGEST_ARRAY, Memory
from byhand.code.c.pieces import MATHEMATICS, single_precision
from byhand.code.c.places import Places
from byhand.code.c.writer import Writer
from byhand.code.layout import WIDEST
from byhand.code.statements import Listing, Statement
from byhand.errors import DataError, ParseError, nearest
from byhand.expr.dims import Shape
from byhand.expr.nodes import Symbol
from byhand.program.labels import reads
from byhand.program.ops import Input


@dataclass(frozen=True)
class CFile:
    """A program in C.

    Attributes:
        source: the file.
        functions: its functions -> the names of their arguments, in order.
        inputs: identifier -> the program's input.
        results: the name of a result -> the argument that receives it.
        returned: what `value` or `forward` returns, a name of the results; None for nothing.
        workspace: the shapes of the pieces of memory, by name.
        dtype: "float" or "double".
        parameters: of a network, in the order of its struct.
        capacity: the macro with the greatest value of a dimension that is an argument; "" where there is none.
    """

    source: str
    functions: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Symbol]
    results: Mapping[str, str]
    returned: str | None
    workspace: Mapping[str, Shape]
    dtype: str
    parameters: tuple[str, ...]
    capacity: str = ""

    @property
    def network(self) -> bool:
        """Whether there are forward, backward and sgd_step."""
        return bool(self.parameters)


def c_file(
    listing: Listing,
    sizes: Mapping[str, int] | None = None,
    dtype: str = "double",
    parameters: Sequence[str] = (),
    runtime: str | None = None,
    whole: bool = False,
) -> CFile:
    """A program as a C99 file.

    Args:
        listing: the program.
        sizes: the sizes of named dimensions; those left out are macros that must be given when compiling.
        dtype: "float" or "double".
        parameters: of a network, its parameters: they stand in a struct, and there are forward, backward and sgd_step.
        runtime: a dimension that is an argument of the functions, at most its size in memory.
        whole: whether the value and the gradients of a network are one function too.
    Raises: MissingRuleError: an operation that C has no row for. DataError: sizes that are none, or too large.
    """
    given = mapping(sizes, "sizes", "sizes={'N': 16}")
    return _File(listing, _checked_sizes(listing, given), dtype, tuple(parameters), runtime, whole).file()


def _checked_sizes(listing: Listing, sizes: Mapping[str, int]) -> dict[str, int]:
    for name in sizes:
        if name not in listing.dims:
            known = f"it has: {', '.join(listing.dims) or 'numbers only'}"
            raise DataError(
                f"the program has no dimension {str(name)[:60]}{nearest(name, list(listing.dims))}",
                known,
            )
    return {name: whole_number(size, f"the size of {name}", 1, LARGEST_ARRAY) for name, size in sizes.items()}


class _File:
    def __init__(
        self, listing: Listing, sizes: Mapping[str, int], dtype: str, parameters: tuple[str, ...],
        runtime: str | None, whole: bool,
    ) -> None:  # fmt: skip
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ParseError(f"dtype is {shown(dtype)}: 'float' or 'double'")
        self.dtype, self.runtime = dtype, runtime
        identifiers = CIdentifiers()
        dims = {name: identifiers.give(name.upper()) for name in listing.dims}
        self.names = {leaf: identifiers.give(leaf.name) for leaf in listing.leaves.values()}
        self.names |= {s.leaf: identifiers.give(s.name) for s in listing.statements}
        self.listing = listing.with_statements(cut(listing.pool, listing.statements, identifiers))
        self.names |= {s.leaf: s.name for s in self.listing.statements if s.leaf not in self.names}
        capacity = identifiers.give(f"{dims[runtime]}_MAX") if runtime is not None else ""
        self.parameters = tuple(s for s in listing.inputs if s.name in parameters)
        statements = self.listing.statements
        self.parts = [list(statements)]
        self.titles = ["value" if listing.value is None else "value_and_gradients"]
        if self.parameters and not whole:
            late = [s for s in statements if s.section == "backward"]
            self.parts, self.titles = (
                [[s for s in statements if s.section != "backward"], late],
                ["forward", "backward"],
            )
        self.places = Places(self.parts, listing.leaves.values(), self._returned())
        self.memory = Memory(
            self.listing, self.places, self.names, dims, self.parameters, self.titles, sizes, dtype, runtime, capacity
        )
        self.taken = {*dims.values(), *self.names.values(), *KERNELS, "w", "p", "g", capacity}
        self.made = {s.leaf: s for s in statements}
        self.value = next((s.leaf for s in statements if s.name == self._returned()), None)
        self.functions: dict[str, tuple[str, ...]] = {}
        self.kernels: set[str] = set()

    # ---- the file

    def file(self) -> CFile:
        self.memory.check()
        blocks = [self._function(k) for k in range(len(self.parts))]
        if self.parameters:
            blocks.append(self._sgd_step())
        parts = [
            head_comment(self.listing, self.names, self.memory.words()),
            "#include <math.h>",
            *self.memory.macros(),
            *self.memory.structs(),
        ]
        kernels = [KERNELS[k].strip("\n") for k in with_needed(self.kernels)]
        text = "\n\n".join(["\n\n".join(parts), *kernels, *blocks]) + "\n"
        if _mistaken_by_gcc("".join(blocks)):
            text = text.replace("#include <math.h>", f"{_NO_IF_CONVERSION}\n\n#include <math.h>", 1)
        if not _uses_mathematics("".join(kernels + blocks)):
            text = text.replace("#include <math.h>\n\n", "")
        if self.dtype == "float":
            text = single_precision(text)
        inputs = {self.names[leaf]: s for s, leaf in self.listing.leaves.items()}
        results = {n: self._name(held) for n, held in self.listing.results.items() if held != self._returned()}
        return CFile(
            text, dict(self.functions), inputs, results, self._returned(), self.memory.workspace(), self.dtype,
            tuple(s.name for s in self.parameters), self.memory.capacity,
        )  # fmt: skip

    def _name(self, held: str) -> str:
        return next(self.names[s.leaf] for s in self.listing.statements if s.name == held)

    def _returned(self) -> str | None:
        """The number that the first function returns."""
        if self.listing.value is not None:
            return self.listing.value
        results = list(self.listing.results.items())
        held = {s.name: s for s in self.listing.statements}
        return results[0][1] if len(results) == 1 and not held[results[0][1]].shape else None

    # ---- functions

    def _function(self, k: int) -> str:
        name, statements, names = self.titles[k], self.parts[k], dict(self.names)
        used = {a for s in statements for a, _ in reads(s.op)} | {s.leaf for s in statements}
        results = [s for s in statements if s.result is not None and s.leaf is not self.value]
        gathered = bool(self.parameters) and any(s.section == "backward" for s in statements)
        arguments: dict[str, str] = {}
        if self.runtime is not None:
            arguments[self.memory.dim(self.runtime)] = f"const int {self.memory.dim(self.runtime)}"
        given = [s for s, leaf in self.listing.leaves.items() if leaf in used]
        for s in given:
            if s not in self.parameters:
                word, kind = names[self.listing.leaves[s]], "int" if "labels" in s.assumptions else "double"
                arguments[word] = f"const {kind} *restrict {word}" if s.shape else f"{kind} {word}"
        own = [s for s in given if s in self.parameters]
        if own:
            arguments["p"] = "const parameters *restrict p"
        kept = [x for x in self.places.storage.of if x in used]
        numbers = [x for x in self.memory.numbers if x in used]
        if kept or numbers:
            arguments["w"] = "workspace *restrict w"
        if gathered:
            arguments["g"] = "parameters *restrict g"
        else:
            arguments |= {names[s.leaf]: f"double *restrict {names[s.leaf]}" for s in results}
        self.functions[name] = tuple(arguments)
        b = Body(self.memory.dim, set(self.taken))
        self._locals(b, own, kept, [x for x in numbers if x not in {s.leaf for s in statements}], statements)
        for r in results:
            if gathered:
                b.line(f"double *restrict {names[r.leaf]} = {'' if r.shape else '&'}g->{self._parameter(r)};")
            if not r.shape:
                names[r.leaf] = f"(*{names[r.leaf]})"
        writer = Writer(b, self.places, names)
        for group in self.places.groups[k]:
            if b.stack[0].items:
                b.line("")
            for leaf in group.members:
                self._comment(b, self.made[leaf])
            writer.group(group)
            for leaf in group.members:
                if leaf in numbers:
                    b.line(f"w->{self.names[leaf]} = {self.names[leaf]};")
        kind = "void"
        if k == 0 and self.value is not None:
            kind = "double"
            b.line(f"return {self.names[self.value]};")
        self.kernels |= writer.entries.kernels
        return (
            f"{kind} {name}{_listed(f'{kind} {name}', list(arguments.values()))}\n{{\n" + "\n".join(b.lines()) + "\n}"
        )

    def _locals(
        self, b: Body, own: Sequence[Symbol], kept: Sequence[Input], numbers: Sequence[Input], made: Sequence[Statement]
    ) -> None:
        """Pointers to parameters and intermediates, under the names of the derivation."""
        for s in own:
            word = self.names[self.listing.leaves[s]]
            b.line(f"const double {'*restrict ' if s.shape else ''}{word} = p->{word};")
        members = [self.memory.member(x) for x in kept]
        written = {s.leaf for s in made}
        for x in kept:
            const = "" if x in written else "const "
            alone = "restrict " if members.count(self.memory.member(x)) == 1 else ""
            b.line(f"{const}double *{alone}{self.names[x]} = w->{self.memory.member(x)};")
        for x in numbers:
            b.line(f"const double {self.names[x]} = w->{self.names[x]};")

    def _parameter(self, s: Statement) -> str:
        return next(self.names[self.listing.leaves[x]] for x in self.parameters if x.name == s.result)

    def _comment(self, b: Body, s: Statement) -> None:
        text = statement_comment(s, self.listing, self.names, self.places)
        if text:
            b.line(f"/* {text} */")

    def _sgd_step(self) -> str:
        lines = ["void sgd_step(parameters *restrict p, const parameters *restrict g, double rate)", "{"]
        for s in self.parameters:
            name = self.names[self.listing.leaves[s]]
            if not s.shape:
                lines.append(f"{INDENT}p->{name} -= rate * g->{name};")
                continue
            lines.append(f"{INDENT}for (int i = 0; i < {self.memory.count(s.shape)}; i++)")
            lines.append(f"{INDENT * 2}p->{name}[i] -= rate * g->{name}[i];")
        self.functions["sgd_step"] = ("p", "g", "rate")
        return "\n".join([*lines, "}"])


# i >= 2 ? x[i - 2] : 0.0: GCC 12 (-O3, AVX2) makes zeros of entries that it reads under a condition in vectors.
# sum += c ? t : t2: it adds up choices in vectors with lanes of the wrong branch.
_CHOICE = re.compile(r"\b[a-z]\d* (?:>=|<|==) [^?;]*\? [^:;]*\[|\+= [^;]*\?")
_NO_IF_CONVERSION = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-if-convert")  /* GCC 12 mistakes choices in vectors */
#endif"""


def _mistaken_by_gcc(text: str) -> bool:
    return _CHOICE.search(text) is not None


def _uses_mathematics(text: str) -> bool:
    words = rf"\b(?:(?:{'|'.join(MATHEMATICS)})\(|INFINITY\b|NAN\b)"
    return re.search(words, re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)) is not None


def _listed(front: str, arguments: Sequence[str]) -> str:
    if not arguments:
        return "(void)"
    line = f"({', '.join(arguments)})"
    if len(front) + len(line) <= WIDEST:
        return line
    lines, current = [], INDENT
    for a in arguments:
        if len(current) + len(a) + 2 > WIDEST:
            lines.append(current.rstrip())
            current = INDENT
        current += f"{a}, "
    return "(\n" + "\n".join([*lines, current.rstrip().rstrip(",")]) + ")"


__all__ = ["CFile", "c_file"]
