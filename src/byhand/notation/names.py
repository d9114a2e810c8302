"""What each identifier of a page looks like: one map for a page, made from all that stands on it, and injective.

A name prints as people write it (`lam` is λ, `W_out` has a subscript) unless another thing of the page looks like that: a
second name, a function (σ), a sign (Σ, δ). Then the plainer of two spellings keeps its form, and the other stays as it was
typed. Signs that would look like a name give way too: `dx` is an input, so the differential of x is d(x).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from byhand.notation import typeset as ts
from byhand.notation.leaves import nodes_of
from byhand.notation.symbols import (
    FENCED_FUNCTIONS,
    FunctionName,
    SplitName,
    ascii_name,
    function_name,
    raised_primes,
    spelled_out,
    split_name,
    unicode_name,
    upright,
)

Form: TypeAlias = Literal["text", "ascii", "stacked"]  # stacked: LaTeX and MathML, with accents and subscripts

# Functions of the notation that an input may be called like, and what they are called beside it.
_LONG_NAMES = {"tr": "trace", "vec": "vectorized", "onehot": "one_hot", "blockdiag": "block_diagonal"}

_WITH_INDICES = {"Σ", "δ"}  # signs that have subscripts, as names have


class Names:
    """The map of one page.

    Args:
        pages: all formulas that stand on it.
        literal: identifiers that stand on it as they are typed, in words and shapes.
    """

    def __init__(self, pages: Iterable[ts.Math] = (), literal: Iterable[str] = ()) -> None:
        self.identifiers: set[str] = set()
        self.literal = set(literal)
        self.functions: set[str] = set()
        self.signs: set[str] = set()
        todo = list(pages)
        while todo:
            self._collect(todo.pop(), todo)
        self._maps: dict[Form, _Map] = {}

    def _collect(self, math: ts.Math, todo: list[ts.Math]) -> None:
        match math:
            case ts.Name(name, literal=literal):
                (self.literal if literal else self.identifiers).add(name)
                todo.extend(part for part in math.tip if isinstance(part, ts.Math))
                return
            case ts.Call(function) | ts.Prime(function):
                self.functions.add(function.removesuffix("_prime"))
            case ts.Function(name):
                self.identifiers.add(name)
            case ts.Identity(None, order) if order is not None:
                todo.append(order)
            case ts.Vec():
                self.functions.add("vec")
            case ts.Delta(i, j):
                self.signs.add("δ")
                todo.extend(nodes_of((i, j)))
            case ts.BigSum(indices):
                self.signs.add("Σ")
                todo.extend(nodes_of(indices))
            case ts.Indexed(_, indices):
                todo.extend(nodes_of(indices))
        todo.extend(ts.children(math))

    def spelled(self, name: ts.Name, form: Form) -> ts.Spelled:
        """A name as it prints."""
        line, parts = self._map(form).name(name.name, name.literal)
        return ts.Spelled(line, parts, name.style, name.tip)

    def function(self, function: str, form: Form) -> FunctionName:
        """A function as it prints."""
        return self._map(form).function(function)

    def taken(self, key: str, form: Form) -> bool:
        """Whether a name prints like this."""
        return key in self._map(form).owners

    def begins(self, prefix: str, form: Form) -> bool:
        """Whether a name prints with this in front."""
        return any(key.startswith(prefix) for key in self._map(form).owners)

    def _map(self, form: Form) -> _Map:
        if form not in self._maps:
            self._maps[form] = _Map(form, self)
        return self._maps[form]


class _Map:
    """The map in one form.

    Attributes:
        owners: what is printed -> the identifier that is printed so.
    """

    def __init__(self, form: Form, page: Names) -> None:
        self.form = form
        self.owners: dict[str, str] = {}
        self.names: dict[str, tuple[str, SplitName]] = {}
        self.functions: dict[str, FunctionName] = {}
        self.signs: set[str] = set()
        everything = page.identifiers | page.literal
        plain = {name for name in everything if name in page.literal or unicode_name(name) == raised_primes(name)}
        self.typed = {raised_primes(name): name for name in everything}
        for name in sorted(plain, key=_plainness):
            self._give(name, _typed(name, form))
        for function in sorted(page.functions):
            self.function(function)
        self.signs |= {sign for sign in page.signs if sign not in self.owners}
        for name in sorted(everything - plain, key=_plainness):
            self.name(name)

    def name(self, name: str, literal: bool = False) -> tuple[str, SplitName]:
        """The line of a name in text, and its parts."""
        if name not in self.names:
            typed = literal or split_name(name).stem in self.signs & _WITH_INDICES
            self._give(name, (_typed if typed else _spellings)(name, self.form))
        return self.names[name]

    def _give(self, name: str, spellings: Iterator[tuple[str, SplitName]]) -> None:
        for line, parts in spellings:
            key = parts.key if self.form == "stacked" else line.replace("ο", "o")
            foreign = self.form == "text" and self.typed.get(line, name) != name
            if key not in self.owners and key not in self.signs and not foreign:
                self.owners[key] = name
                self.names[name] = line, parts
                return

    def function(self, function: str) -> FunctionName:
        """A function by its sign, or in words where a name looks like the sign."""
        if function not in self.functions:
            row = function_name(FENCED_FUNCTIONS.get(function, (function,))[0] or function)
            if self._shown(row, function) in self.owners:
                row = upright(_LONG_NAMES.get(function, function))
                while row.text in self.owners:
                    row = upright(f"{row.text}_")
            self.functions[function] = row
            self.signs.add(self._shown(row, function))
        return self.functions[function]

    def _shown(self, row: FunctionName, function: str) -> str:
        return {"text": row.text, "ascii": row.ascii or function, "stacked": row.mathml}[self.form]


def _plainness(name: str) -> tuple[int, int, str]:
    """W1 before W_1, λ before lam before lambda_."""
    return name.count("_"), len(name), name


def _spellings(name: str, form: Form) -> Iterator[tuple[str, SplitName]]:
    """What a name may look like, the best first, without an end."""
    if form != "ascii":
        yield unicode_name(name), split_name(name)
    yield from _typed(name, form)


def _typed(name: str, form: Form) -> Iterator[tuple[str, SplitName]]:
    """The same with Greek words as they were typed."""
    parts = split_name(name, greek=False)
    if form == "ascii":
        yield ascii_name(name), parts
    else:
        yield raised_primes(name), parts
        if form == "stacked":
            yield name, parts.bracketed()
            yield name, SplitName(name)
    spelled = ascii_name(name) if form == "ascii" else spelled_out(name)
    yield spelled, SplitName(spelled)
    while True:
        spelled += "_"
        yield spelled, SplitName(spelled)


def unused(wish: str, taken: Iterable[str]) -> str:
    """The wish, or the wish with the first number that is free."""
    names = set(taken)
    found, k = wish, 0
    while found in names:
        k += 1
        found = f"{wish}{k}"
    return found
