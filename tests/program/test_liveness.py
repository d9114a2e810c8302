"""Memory that arrays share: what stands in it is never needed again when something else is written there."""

import random

import pytest

from byhand.expr.dims import named_dimension
from byhand.program.liveness import Life, entries_of, stored

N, M = named_dimension("n"), named_dimension("m")
SHAPES = [(N, M), (M, N), (N,), (M,), (5, 7), (7, 5), (35,), ()]


def drawn(seed):
    """Lives of arrays, and which of them may take the place of which."""
    rng = random.Random(seed)
    firsts = [rng.randrange(20) for _ in range(40)]
    lives = {f"a{k}": Life(rng.choice(SHAPES), first, first + rng.randrange(6)) for k, first in enumerate(firsts)}
    allowed = {(a, b) for a in lives for b in lives if rng.random() < 0.5}
    return lives, allowed


@pytest.mark.parametrize("seed", range(50))
def test_nothing_is_overwritten_that_is_read_later(seed):
    lives, allowed = drawn(seed)
    found = stored(lives, lambda new, old: (new, old) in allowed)
    assert {*found.of} == {*lives}
    for slot in found.slots:
        for before, after in zip(slot.held, slot.held[1:], strict=False):
            gone, made = lives[before].last, lives[after].first
            taken_over = found.in_place.get(after) == before
            assert gone < made or (gone == made and taken_over and (after, before) in allowed)
        assert {entries_of(lives[x].shape) for x in slot.held} == {entries_of(slot.shape)}


def test_memory_is_shared_and_taken_over():
    together = [stored(lives, lambda new, old, a=allowed: (new, old) in a) for lives, allowed in map(drawn, range(50))]
    assert sum(len(found.of) - len(found.slots) for found in together) > 500
    assert sum(len(found.in_place) for found in together) > 50


def test_without_leave_nothing_is_taken_over():
    lives = {"x": Life((N,), 0, 1), "y": Life((N,), 1, 2), "z": Life((N,), 3, 3)}
    apart = stored(lives, lambda new, old: False)
    assert not apart.in_place and len(apart.slots) == 2
    assert apart.of["z"] in (apart.of["x"], apart.of["y"])
    over = stored(lives, lambda new, old: True)
    assert over.in_place == {"y": "x"} and len(over.slots) == 1
