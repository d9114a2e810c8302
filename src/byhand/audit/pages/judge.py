"""Verdicts on the rows of a page: types first, then truth at several points, in every reading that a formula is open to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from byhand.audit.pages.compare import EQUAL, Comparison, Verdict
from byhand.audit.pages.definitions import chains_of
from byhand.audit.pages.meaning import PageMeaning
from byhand.audit.pages.readings import Reading, readings
from byhand.audit.pages.rows import Row
from byhand.errors import ByhandError, DataError
from byhand.reading.keys import key_of
from byhand.reading.tree import Bracket, Name, Number, Product, Relation, Script, walk
from byhand.reading.values import MismatchError, Value

Array = Any
PATIENCE = 6.0  # seconds of the processor for a page
RANK = ("given", "right", "not read", "wrong")


@dataclass
class Judge(Comparison):
    """Judges the rows of one page in order.

    Attributes:
        page: the names.
        heads: row -> the chain that it belongs to, by the row that begins it.
        work: how many rows were looked at in search of shapes.
        began: when the page was begun, in processor time.
    """

    heads: dict[int, tuple[Row, Relation]] = field(default_factory=dict)
    work: int = 0
    began: float = field(default_factory=time.process_time)

    def row(self, row: Row) -> Verdict:
        """The verdict on a row: the worst of those on its chains."""
        if self.late():
            return Verdict("not read", (), "the page takes too long: what stands above was looked at first")
        try:
            return self._row(row)
        except RecursionError:
            return Verdict("not read", (), "nested too deep")
        except ByhandError as error:
            return Verdict("not read", (), error.message)

    def late(self, share: float = 1.0) -> bool:
        """Whether a share of the time that a page is given has gone by."""
        return time.process_time() - self.began > share * PATIENCE

    def _row(self, row: Row) -> Verdict:
        if row.trouble:
            return Verdict("not read", ("syntax",), row.trouble)
        found: list[Verdict] = []
        for chain in chains_of(row):
            verdict = self.layers(row, chain)
            if (
                row.inline
                and verdict.status == "wrong"
                and all(s is None or isinstance(s, Name | Number | Script) for s in chain.sides)
            ):
                verdict = Verdict("given", message="a condition")  # at w = ŵ, for i = j
            found.append(verdict)
        if not found:
            return Verdict("given", message="nothing is claimed")
        worst = max(found, key=lambda v: RANK.index(v.status))
        unsure = sorted(self.page.doubtful & {n.text for s in row.statements for n in walk(s) if isinstance(n, Name)})
        if worst.status == "wrong" and unsure:
            return Verdict("not read", (), f"the shape of {', '.join(unsure)} is not told, and none is found that fits")
        notes = tuple(dict.fromkeys(n for v in found for n in v.reading))
        if worst.status == "given" and any(v.status == "right" for v in found):
            worst = next(v for v in found if v.status == "right")
        worst.reading = notes
        return worst

    # ---- layers

    def layers(self, row: Row, chain: Relation) -> Verdict:
        """A chain with a letter for the layer is judged for each layer that it can be about."""
        letters = [letter for letter in sorted(self.page.layer_letters) if self.mentions(chain, letter)]
        if not letters:
            return self.chain(row, chain)
        (letter,) = letters[:1]
        last = max(self.page.last.values(), default=3)
        found: list[Verdict] = []
        for number in range(0, last + 1):
            self.page.layers = {letter: number}
            try:
                found.append(self.chain(row, chain))
            finally:
                self.page.layers = {}
        read = [v for v in found if v.status != "not read"]
        if not read:
            return found[-1]
        if len(read) == 1 and last > 1 and read[0].status == "wrong":
            return read[0]
        return max(read, key=lambda v: RANK.index(v.status))

    def mentions(self, chain: Relation, letter: str) -> bool:
        """Whether the letter of the layer occurs in a key or a size of the chain."""
        import re

        for node in (n for s in chain.sides if s is not None for n in walk(s)):
            if isinstance(node, Script | Name):
                key = key_of(node)
                if any(re.search(rf"(?<![A-Za-z]){letter}(?![A-Za-z])", m) for m in re.findall(r"\[([^\[\]]*)\]", key)):
                    return True
        return False

    # ---- one chain

    def chain(self, row: Row, chain: Relation) -> Verdict:
        """Sides and relations: what defines is given; the rest is true or not."""
        if not chain.signs or "…" in chain.signs or any(sign not in (*EQUAL, "∈") for sign in chain.signs):
            return self.unchecked(chain)
        head = chain.sides[0]
        if (chain.signs[0] == "∈" and len(chain.signs) == 1) or (
            isinstance(head, Name) and head.text in self.page.facts.functions
        ):
            return Verdict("given")
        best: Verdict | None = None
        for reading in self.readings(chain):
            verdict = self.read(row, chain, reading)
            if verdict.status in ("right", "given"):
                return verdict
            if (
                best is None
                or (best.status == "not read" and verdict.status == "wrong")
                or (best.kinds == ("T",) and verdict.kinds == ("N",))
            ):
                best = verdict
        assert best is not None
        return best

    def unchecked(self, chain: Relation) -> Verdict:
        """An update, an approximation, an inequality: given, with a note."""
        if "…" in chain.signs or chain.signs in (("∈",), (">",), ("<",), ("≥",), ("≤",), ("≠",)):
            return Verdict("given", message="a condition")
        return Verdict("given", message=f"nothing is checked of a row with {chain.signs[0]}")

    def readings(self, chain: Relation) -> Iterator[Reading]:
        """The readings of a chain in order of preference."""
        sides = [s for s in chain.sides if s is not None]
        together = any(PageMeaning(self.page, s).mixed(s) for s in sides)
        return readings(sides, self.page.sizes, together, bool(self.page.facts.moving), self.page.symmetric)

    def read(self, row: Row, chain: Relation, reading: Reading) -> Verdict:
        """The verdict in one reading."""
        head, sides, checks = self.parts(row, chain)
        meaning = PageMeaning(self.page, *(s for s in (head, *sides) if s is not None), reading=reading)
        first: Value | None = None
        defines = False
        if head is not None:
            defines = chain.sides[0] is not None and any(d.row is row for d in self.page.definitions.values())
            try:
                first = self.head(meaning, head)
            except MismatchError as error:
                return Verdict("wrong", ("T",), error.message)
            except ByhandError as error:
                key = self.page.concrete(_head_key(head))
                if key in self.page.trouble and defines:
                    return self.undefined(key)
                if self.page.absent(head) and not isinstance(head, Name | Script):
                    return Verdict("wrong", ("D",), self.page.absent(head), tuple(reading.notes))
                return Verdict("not read", (), error.message)
        if first is not None and first.matrix and not first.letters:
            meaning.wanted = meaning.do.sides(first)
        compared = 0
        for k, side in enumerate(sides):
            if isinstance(side, Number) and side.value == 0 and first is not None:
                verdict = self.zero(first)
            else:
                try:
                    x = meaning.value(side)
                except MismatchError as error:
                    kinds = ("D",) if "axes" in error.message else ("T",)
                    return Verdict("wrong", kinds, error.message, tuple(reading.notes), span=(side.start, side.end))
                except ByhandError as error:
                    if defines and k == 0 and compared == 0 and first is not None:
                        continue
                    absent = self.page.absent(side)
                    if absent:
                        return Verdict("wrong", ("D",), absent, tuple(reading.notes), span=(side.start, side.end))
                    return Verdict("not read", (), error.message)
                if first is None:
                    first = x
                    continue
                try:
                    verdict = self.compare(first, x, meaning)
                except DataError as error:
                    verdict = Verdict("not read", (), f"no value here: {error.message}")
            if verdict is not None:
                verdict.reading, verdict.span = tuple(reading.notes), (side.start, side.end)
                return verdict
            compared += 1
        for shape in checks:
            wrong = self.shape_claim(first, shape, meaning)
            if wrong is not None:
                return wrong
        notes = tuple(reading.notes)
        if defines and compared <= 1:
            return Verdict("given", reading=notes, message="; ".join(notes))
        if not compared:
            return Verdict("given", reading=notes)
        return Verdict("right", reading=notes, message="; ".join(notes))

    def head(self, meaning: PageMeaning, head: Any) -> Value:
        """The value of the first side: L(w) is L, and J_kj(z) the entries of J."""
        if isinstance(head, Product) and len(head.factors) == 2 and isinstance(head.factors[1][1], Bracket):
            name = head.factors[0][1]
            whole = key_of(Script(name.base, None, name.sup, name.primes)) if isinstance(name, Script) else key_of(name)
            for key in (key_of(name), whole):
                definition = self.page.definition(self.page.concrete(key)) if key else None
                if definition is not None and definition.arguments:
                    return meaning.value(name)
        return meaning.value(head)

    def undefined(self, key: str) -> Verdict:
        """A definition that has no value: its shapes do not fit, or something in it is not known."""
        trouble = self.page.trouble[key]
        return (
            Verdict("wrong", ("T",), trouble)
            if "fit" in trouble or "differ" in trouble
            else Verdict("not read", (), trouble)
        )

    def parts(self, row: Row, chain: Relation) -> tuple[Any, list[Any], list[Any]]:
        """The head of a chain, its other values, and the shapes that it claims (∈ ℝ^{m×n})."""
        sides = [s for s, sign in zip(chain.sides[1:], chain.signs, strict=True) if s is not None and sign in EQUAL]
        checks = [s for s, sign in zip(chain.sides[1:], chain.signs, strict=True) if s is not None and sign == "∈"]
        head = chain.sides[0]
        if head is None and row.continues is not None:
            head = self.heads[row.continues.index][1].sides[0] if row.continues.index in self.heads else None
        elif head is not None:
            self.heads[row.index] = (row, chain)
        if chain.sides[0] is None and row.continues is not None and row.continues.index in self.heads:
            self.heads[row.index] = self.heads[row.continues.index]
        return head, sides, checks

    def fits(self, row: Row) -> bool | None:
        """Whether the shapes of a row fit in some reading; None where something else keeps it from being read."""
        try:
            return self._fits(row)
        except RecursionError:
            return None

    def _fits(self, row: Row) -> bool | None:
        self.work += 1
        unread = False
        for chain in chains_of(row):
            if (
                chain.signs == ("∈",)
                and chain.sides[0] is not None
                and self.page.definition(key_of(chain.sides[0])) is not None
            ):
                found = self.page.value(key_of(chain.sides[0]))
                if found is not None and self.shape_claim(found, chain.sides[1], PageMeaning(self.page)) is not None:
                    return False
            if not chain.signs or any(sign not in (*EQUAL, "∈") for sign in chain.signs):
                continue
            made: bool | None = None
            for reading in self.readings(chain):
                made = self._types(row, chain, reading)
                if made:
                    break
            if made is False:
                return False
            unread = unread or made is None
        return None if unread else True

    def _types(self, row: Row, chain: Relation, reading: Reading) -> bool | None:
        head, sides, _ = self.parts(row, chain)
        whole = [s for s in (head, *sides) if s is not None]
        meaning = PageMeaning(self.page, *whole, reading=reading)
        values: list[Value] = []
        for k, side in enumerate(whole):
            if isinstance(side, Number):
                continue
            try:
                values.append(self.head(meaning, side) if k == 0 else meaning.value(side))
            except MismatchError:
                return False
            except ByhandError:
                key = self.page.concrete(_head_key(side))
                if k or key not in self.page.trouble:
                    return None
                return False if "fit" in self.page.trouble[key] or "differ" in self.page.trouble[key] else None
        shapes = {meaning.do.sides(x) if x.matrix and not meaning.do.is_number(x) else () for x in values}
        return len(shapes) <= 1


def _head_key(head: Any) -> str:
    if isinstance(head, Product) and len(head.factors) == 2 and isinstance(head.factors[1][1], Bracket):
        return key_of(head.factors[0][1])
    return key_of(head)
