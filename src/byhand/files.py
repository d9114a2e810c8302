"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from byhand.errors import DataError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it takes its place.

    Raises: DataError: the folder is missing or cannot be written to, or the disk is full.
    """
    target = path.resolve()  # a link stays a link: what it points to is replaced
    if target.is_dir():
        raise DataError(f"cannot write {path}: it is a folder")
    temporary = ""
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise DataError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
