"""Where intermediates stand: liveness decides which of them share memory, and which are updated in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from byhand.code.forms import parts
from byhand.code.program import Statement, uses
from byhand.expr.dims import Dim, Shape, multiply_dims
from byhand.expr.nodes import Expr
from byhand.rules.forms import Form

_ENTRYWISE = frozenset({"function", "mask", "power", "sum", "hadamard"})


@dataclass
class Slot:
    """A piece of memory and the intermediates that stand in it, one after the other."""

    shape: Shape
    leaves: list[Expr] = field(default_factory=list)


@dataclass(frozen=True)
class Storage:
    """The memory of a program's intermediates.

    Attributes:
        slots: all of them.
        of: the slot of each array.
        saved: arrays and numbers that the forward part leaves for the backward part.
        in_place: an array -> the one whose memory it takes over, entry by entry.
    """

    slots: tuple[Slot, ...]
    of: Mapping[Expr, Slot]
    saved: tuple[Expr, ...]
    in_place: Mapping[Expr, Expr]


def stored(statements: Sequence[Statement], kept: Mapping[Expr, tuple[Expr, Expr]]) -> Storage:
    """Memory for the arrays that statements make, results left out.

    Two arrays share memory only where they have the same number of entries for all sizes, and where the first is read
    for the last time before the second is written, or by the very statement that writes it, entry by entry.
    """
    last: dict[Expr, int] = {}
    for place, s in enumerate(statements):
        for leaf in uses([s.form]):
            last[leaf] = place
    made = {s.leaf for s in statements if s.result is None and s.shape} | {x for pair in kept.values() for x in pair}
    slots: list[Slot] = []
    of: dict[Expr, Slot] = {}
    free: dict[Dim, list[Slot]] = {}
    in_place: dict[Expr, Expr] = {}
    for place, s in enumerate(statements):
        dying = [x for x in uses([s.form]) if x in of and last[x] == place]
        for leaf in (s.leaf, *kept.get(s.leaf, ())):
            if leaf not in made:
                continue
            key = size_of(leaf.shape)
            donor = next(
                (x for x in dying if leaf is s.leaf and size_of(x.shape) == key and entrywise(s.form, x)), None
            )
            if donor is not None:
                slot = of[donor]
                in_place[leaf] = donor
                dying.remove(donor)
            elif free.get(key):
                slot = free[key].pop()
            else:
                slot = Slot(leaf.shape)
                slots.append(slot)
            slot.leaves.append(leaf)
            of[leaf] = slot
        for x in dying:
            free.setdefault(size_of(x.shape), []).append(of[x])
    early = {s.leaf for s in statements if s.section != "backward"} | {x for pair in kept.values() for x in pair}
    late = uses(s.form for s in statements if s.section == "backward")
    saved = tuple(x for x in dict.fromkeys([*of, *(s.leaf for s in statements)]) if x in early and x in late)
    return Storage(tuple(slots), of, saved, in_place)


def size_of(shape: Shape) -> Dim:
    """The number of entries, a polynomial in the named dimensions."""
    total: Dim = 1
    for d in shape:
        total = multiply_dims(total, d)
    return total


def entrywise(form: Form, leaf: Expr) -> bool:
    """Whether entry i of the form's value reads no other entry of the leaf than i."""
    if form.kind == "name" or not any(p.kind == "name" and p.data is leaf for p in parts(form)):
        return True
    if form.kind in _ENTRYWISE or (form.kind == "operation" and form.data[0] in ("where", "power")):
        return all(entrywise(a, leaf) for a in form.args)
    if form.kind == "scaled" and form.data.has_core:
        *scalars, core = form.args
        return entrywise(core, leaf) and not any(p.kind == "name" and p.data is leaf for a in scalars for p in parts(a))
    return False


__all__ = ["Slot", "Storage", "entrywise", "size_of", "stored"]
