"""Records behave as the standard library's frozen data classes with slots do."""

import copy
import dataclasses
import pickle
from dataclasses import field

import pytest

from byhand.records import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    x: int
    y: tuple[int, ...] = (1, 2)
    tags: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True)
class Named(Point):
    name: str = ""

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("bad")


@dataclass(frozen=True, slots=True)
class Empty:
    pass


@dataclass(frozen=True, slots=True)
class One:
    value: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, One) and abs(self.value - other.value) < 1

    __hash__ = None


def test_values_equality_and_hashing():
    assert Point(3) == Point(x=3, y=(1, 2), tags={}) != Point(4)
    assert Point(3) != Named(3) and Point(3).size == 2
    assert hash(Empty()) == hash(Empty()) and Empty() == Empty() != Point(3)
    assert {One: 1} and One(1.0) == One(1.5)
    assert Point(1).tags is not Point(1).tags
    with pytest.raises(TypeError, match="unhashable"):
        hash(One(1.0))
    with pytest.raises(TypeError, match="argument"):
        Point()
    with pytest.raises(ValueError, match="bad"):
        Named(1, name="bad")


def test_nothing_can_be_changed():
    p = Named(3, name="p")
    for change in (lambda: setattr(p, "x", 4), lambda: delattr(p, "x"), lambda: setattr(p, "other", 1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert p.x == 3 and not hasattr(p, "__dict__")


def test_what_the_standard_library_does_with_data_classes():
    p = Named(3, name="p")
    assert repr(p) == "Named(x=3, y=(1, 2), tags={}, name='p')" and repr(Empty()) == "Empty()"
    assert dataclasses.replace(p, x=5) == Named(5, name="p")
    assert [f.name for f in dataclasses.fields(p)] == ["x", "y", "tags", "name"]
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": (1, 2), "tags": {}}
    assert pickle.loads(pickle.dumps(p)) == copy.deepcopy(p) == copy.copy(p) == p
    match p:
        case Named(x, y):
            assert (x, y) == (3, (1, 2))
    assert Point.__doc__ == "A point."


def test_fields_with_options_are_refused():
    with pytest.raises(TypeError, match=r"dataclasses\.dataclass"):

        @dataclass(frozen=True, slots=True)
        class Hidden:
            x: int = field(default=0, repr=False)
