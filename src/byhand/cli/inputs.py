"""What users type: the expression from the command line, a file or standard input; shapes and properties by name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

LONGEST_INPUT = 1_000_000  # characters


def read_expression(text: str | None, file: Path | None) -> str:
    """The expression: given, `-` for standard input, `@NAME` or --file for a file.

    Raises: click.UsageError: none or two of them, or a file that cannot be read.
    """
    if text is not None and file is not None:
        raise click.UsageError("give an expression or --file, not both")
    if file is not None:
        return _read_file(file)
    if text is None:
        raise click.UsageError("an expression is missing: in quotes, - for standard input, or @FILE")
    if text == "-":
        if sys.stdin.isatty():
            from byhand.cli.output import note

            note("Type the expression; end with Ctrl-D.")
        try:
            return _limited(sys.stdin.read(LONGEST_INPUT + 1), "standard input")
        except UnicodeDecodeError:
            raise click.UsageError("standard input is not text in UTF-8") from None
    if text.startswith("@") and len(text) > 1:
        return _read_file(Path(text[1:]))
    return text


def _read_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return _limited(file.read(LONGEST_INPUT + 1), str(path))
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not text in UTF-8") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise click.UsageError(f"cannot read {path}: {reason.lower()}") from None


def _limited(text: str, source: str) -> str:
    if len(text) > LONGEST_INPUT:
        raise click.UsageError(f"{source} holds more than {LONGEST_INPUT} characters: no expression")
    return text


def read_shapes(values: Iterable[str]) -> dict[str, str]:
    """`X:m,n` -> {"X": "m,n"}; several in one value with spaces between them; `x:` is a scalar.

    Raises: click.BadParameter: no colon, no name, or a name twice.
    """
    example = "write X:m,n for a matrix, y:m for a vector, s: for a scalar"
    return _pairs(values, "--shape", example)


def read_assumptions(values: Iterable[str]) -> dict[str, str]:
    """`Y:simplexrows` -> {"Y": "simplexrows"}; several properties with commas between them.

    Raises: click.BadParameter: no colon, no name, no property, or a name twice.
    """
    found = _pairs(values, "--assume", "write Y:simplexrows, or A:symmetric,positive")
    for name, properties in found.items():
        if not properties:
            _refuse("--assume", f"{name}: names no property", f"known: {', '.join(_properties())}")
    return found


def _properties() -> list[str]:
    from byhand.expr.assume import PROPERTIES

    return list(PROPERTIES)


def _pairs(values: Iterable[str], option: str, example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        for part in re.split(r"[\s;]+(?=[^\s:;,]+\s*:)", value.strip()):
            name, colon, rest = (s.strip() for s in part.partition(":"))
            if not colon or not name or ":" in rest:
                _refuse(option, f"{part!r} is not NAME:...", example)
            if name in found:
                _refuse(option, f"{name} is given twice: {found[name] or 'a scalar'}, and {rest or 'a scalar'}", "")
            found[name] = rest
    return found


def _refuse(option: str, message: str, remedy: str) -> NoReturn:
    raise click.BadParameter(f"{message}{': ' if remedy else ''}{remedy}", param_hint=f"'{option}'")
