"""Requests of the explorer: plain data from outside, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from byhand.derive.derivation import Derivation, derive
from byhand.errors import ParseError
from byhand.expr.expression import Expression
from byhand.expr.infer import Inferred, infer
from byhand.expr.parse import parse
from byhand.nets.mlp import MLP

LONGEST = 8_000  # characters of a text
_NETWORK = re.compile(r"\s*\d+(?:-\w+)+(?:\s+\w+=\S+)*\s*")  # 784-300-10 activation=relu
_OPTIONS = ("activation", "loss", "l2")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about.

    Attributes:
        text: as typed.
        derivation: of the function or network in it.
        inferred: what was found of shapes that the request leaves open; None for a network.
    """

    text: str
    derivation: Derivation
    inferred: Inferred | None

    @property
    def f(self) -> Expression:
        """The function."""
        return self.derivation.f


def text_of(request: Mapping[str, Any], key: str = "text", default: str | None = None) -> str:
    """A text of the request.

    Raises: ParseError: it is missing, no string, or too long.
    """
    found = request.get(key, default)
    if not isinstance(found, str):
        raise ParseError(f"{key} is a text, not {type(found).__name__}", f'such as {{"{key}": "..."}}')
    if len(found) > LONGEST:
        raise ParseError(f"{key} has {len(found)} characters: at most {LONGEST} are read", "shorten it")
    return found


def texts_of(request: Mapping[str, Any], key: str) -> dict[str, str]:
    """A table of texts by name: shapes, properties.

    Raises: ParseError: it is something else.
    """
    found = request.get(key) or {}
    if not isinstance(found, Mapping) or not all(isinstance(x, str) for pair in found.items() for x in pair):
        raise ParseError(f"{key} is a table of texts by name", f'such as {{"{key}": {{"X": "..."}}}}')
    return dict(found)


def subject_of(request: Mapping[str, Any]) -> Subject:
    """The function or network of a request, derived.

    Raises: ParseError, ShapeError, MissingRuleError: it cannot be read or derived.
    """
    text = text_of(request)
    wrt = request.get("wrt")
    if not (wrt is None or (isinstance(wrt, list) and all(isinstance(name, str) for name in wrt))):
        raise ParseError("wrt is a list of names", 'such as {"wrt": ["w"]}')
    if _NETWORK.fullmatch(text):
        for key in ("shapes", "assume", "infer"):
            if key in request:
                raise ParseError(f"{key} is of a formula: a network knows the shapes of its inputs", f"leave {key} out")
        return Subject(text, derive(_network(text), wrt or None), None)
    shapes, assume = texts_of(request, "shapes"), texts_of(request, "assume")
    f = parse(text, shapes, assume) if request.get("infer") is False else infer(text, shapes, assume)
    return Subject(text, derive(f, wrt or None), f.inferred)


def _network(text: str) -> MLP:
    """A network as people write it: sizes, then options.

    Raises: ParseError: an option that there is not, or one that stands twice.
    """
    sizes, *words = text.split()
    options: dict[str, Any] = {}
    for word in words:
        name, value = word.split("=", 1)
        if name not in _OPTIONS:
            raise ParseError(f"a network has no option {name}", f"options: {', '.join(_OPTIONS)}")
        if name in options:
            raise ParseError(f"the option {name} stands twice", "leave one of them out")
        options[name] = value
    return MLP(sizes, **options)


__all__ = ["LONGEST", "Subject", "subject_of", "text_of", "texts_of"]
