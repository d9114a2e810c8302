"""How much is spent on the search for shorter forms: counted in steps, so that every machine finds the same ones."""

from __future__ import annotations

from dataclasses import dataclass

ONE_FORM = 400  # steps for one normal form while every way is tried; formulas of textbooks take up to 250
ALL_FORMS = 2000  # steps for all normal forms of one document
PER_FORM = 20  # steps that each further normal form brings along: a deep network has many, all of them short
FRUGAL = 1  # times as many steps again in which only the best way is tried
PER_STEP = 8  # factors that a step is for


@dataclass
class Effort:
    """Steps that are left, first for trying every way, then for trying the best one only.

    Attributes:
        left: steps left for all the normal forms of a document.
        room: steps left for the normal form that is being made.
        taken: steps taken so far.
        gave_up: whether a search was broken off: the result is right, not the shortest.
    """

    left: int = ALL_FORMS
    room: int = ONE_FORM
    taken: int = 0
    gave_up: bool = False

    def begin(self) -> None:
        """Another normal form."""
        self.left += PER_FORM
        self.room = min(ONE_FORM, self.left)

    def step(self, factors: int = 0) -> bool:
        """Whether another step may be taken; it is counted.

        Args:
            factors: how many factors it looks at.
        """
        return self.spend(1 + factors // PER_STEP)

    def spend(self, cost: int) -> bool:
        """Whether more may be spent after this."""
        self.room -= cost
        self.left -= cost
        self.taken += cost
        if self.exhausted:
            self.gave_up = True
        return not self.exhausted

    @property
    def thorough(self) -> bool:
        """Whether every way may still be tried."""
        if self.room <= 0:
            self.gave_up = True
        return self.room > 0

    @property
    def exhausted(self) -> bool:
        """Whether nothing more is tried."""
        return self.room <= -FRUGAL * ONE_FORM or self.left <= -FRUGAL * ALL_FORMS
