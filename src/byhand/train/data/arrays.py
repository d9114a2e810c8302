"""Arrays in files: .npz and .npy, and MNIST's IDX, plain or gzipped.

A header is believed only where the numbers that it announces are all that follows. What follows has a checksum in .npz and
.gz files, and none in .npy and IDX: another number there is another number.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from byhand.errors import DataError, nearest
from byhand.train.data.data import Data, whole
from byhand.train.data.rows import CHUNK, Rows, large, spilled

Array = Any
# X, y, X of the test, y of the test: how the arrays of an .npz file are called
_NAMES = (("X", "y", "", ""), ("train_x", "train_y", "test_x", "test_y"), ("x_train", "y_train", "x_test", "y_test"))
_IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_NPY, _NPZ = "array of NumPy", ".npz file of plain arrays"


def kept(rows: Rows, stream: bool | None) -> Any:
    """The rows on disk where that is wanted, or they are large; else an array of them."""
    return rows if stream or (stream is None and large(*rows.shape)) else rows.whole()


# ---- NumPy's own


def _npy(file: IO[bytes], name: str, size: int) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
    """Where the numbers of an .npy begin, their type and shape, whether by columns.

    Args:
        file: stands at its start.
        name: for messages.
        size: the bytes of the array with its header.
    Raises: DataError: a damaged header, or one that announces more or fewer numbers than there are.
    """
    start = file.tell()
    with whole(name, _NPY):
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
    offset = file.tell()
    if dtype.kind not in "fiubUS":
        raise DataError(f"{name} is {dtype} of shape {shape}: an array of numbers is needed")
    announced = dtype.itemsize * math.prod(shape)
    if announced != size - (offset - start) or min(shape, default=0) < 0:
        raise DataError(
            f"{name} is truncated or damaged: it has {size - (offset - start)} bytes of numbers, {announced} are announced"
        )
    return offset, dtype, shape, fortran and len(shape) > 1


def _array(file: IO[bytes], name: str, size: int) -> Array:
    """The array, of numbers or texts."""
    offset, dtype, shape, by_columns = _npy(file, name, size)
    file.seek(offset)
    found = np.frombuffer(file.read(dtype.itemsize * math.prod(shape)), dtype)
    native = found.astype(dtype.newbyteorder("="))
    with whole(name, _NPY):
        native.tolist()  # a text has no characters beyond Unicode's
    return native.reshape(shape[::-1]).T if by_columns else native.reshape(shape)


def _rows(file: IO[bytes], name: str, size: int, stream: bool | None) -> Any:
    """The rows, (N, features): on disk where that is wanted, or they are large; else an array of them."""
    offset, dtype, shape, by_columns = _npy(file, name, size)
    if dtype.kind in "US" or len(shape) < 2:
        raise DataError(f"{name} is {dtype} of shape {shape}: numbers (N, features) are needed")
    if not by_columns:
        return kept(Rows(file, offset, dtype, (shape[0], math.prod(shape[1:])), name), stream)
    if stream or (stream is None and large(shape[0], math.prod(shape[1:]))):
        raise DataError(
            f"{name} is stored column by column, so that its rows cannot be read from disk one by one",
            "np.ascontiguousarray(X) before saving",
        )
    columns = Rows(file, offset, dtype, (math.prod(shape[1:]), shape[0]), name).whole()  # the transposed array
    return np.ascontiguousarray(columns.reshape(shape[::-1]).T).reshape(shape[0], -1)


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [n.removesuffix(".npy") for n in archive.namelist()]


def _small(path: Path, archive: zipfile.ZipFile, name: str) -> Array:
    """An array of an .npz file in memory."""
    content = archive.read(archive.getinfo(f"{name}.npy"))
    return _array(io.BytesIO(content), f"{name} in {path}", len(content))


def _member(path: Path, archive: zipfile.ZipFile, name: str, stream: bool | None) -> Any:
    """The rows of an array of an .npz file: from where it stands, or, compressed, from a temporary file."""
    info = archive.getinfo(f"{name}.npy")
    label = f"{name} in {path}"
    with archive.open(info) as checked:  # to its end: then its checksum was compared
        while checked.read(CHUNK):
            pass
    if info.compress_type != zipfile.ZIP_STORED:
        with archive.open(info) as packed, spilled(lambda out: shutil.copyfileobj(packed, out)) as file:
            size = file.tell()
            file.seek(0)
            return _rows(file, label, size, stream)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)
        name_and_extra = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        file.seek(info.header_offset + 30 + name_and_extra)
        return _rows(file, label, info.file_size, stream)


def read_npz(path: Path, target: str | None, stream: bool | None) -> Data:
    """Arrays X and y (or train_x, train_y, test_x, test_y; x_train, ...); `target` names another y."""
    with whole(path, _NPZ), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        names = _names(archive)
        listed = ", ".join(names) or "nothing"
        x, y, x_test, y_test = next((row for row in _NAMES if row[0] in names), ("", "", "", ""))
        if not x:
            raise DataError(f"{path} has no array X", f"it has: {listed}")
        if target is not None and target not in names:
            raise DataError(f"{path} has no array {target}{nearest(target, names)}", f"it has: {listed}")
        y = target or y
        apart = x_test in names and y_test in names and target is None
        return Data(
            _member(path, archive, x, stream), _small(path, archive, y) if y in names else None, None,
            _member(path, archive, x_test, stream) if apart else None,
            _small(path, archive, y_test) if apart else None,
        )  # fmt: skip


def read_npy(path: Path, target: str | None, stream: bool | None) -> Data:
    """X in one file, y in another: `target` is its path."""
    with path.open("rb") as file:
        X = _rows(file, str(path), _size(file), stream)
    if target is None:
        return Data(X, None)
    try:
        with Path(target).open("rb") as file:
            return Data(X, _array(file, target, _size(file)))
    except FileNotFoundError:
        raise DataError(
            f"there is no file {target}: the targets of an .npy file are in another", "--target y.npy"
        ) from None


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


# ---- IDX


def is_idx(path: Path) -> bool:
    """Whether a name is that of a file of MNIST's format, or a folder that has them."""
    return bool(re.search(r"idx\d|ubyte|\.idx(\.gz)?$", path.name)) or (
        path.is_dir() and _beside(path, "train") is not None
    )


def _beside(folder: Path, part: str) -> Path | None:
    return next((p for p in sorted(folder.glob(f"{part}-images*")) if re.search(r"idx\d|ubyte", p.name)), None)


def _opened(path: Path) -> IO[bytes]:
    """The file, or, gzipped, a temporary one with its content."""
    file: IO[bytes] = path.open("rb")
    if file.read(2) == b"\x1f\x8b":
        file.close()
        with whole(path, "gzipped IDX file"), gzip.open(path) as packed:
            file = spilled(lambda out: shutil.copyfileobj(packed, out))
    file.seek(0)
    return file


def _header(file: IO[bytes], path: Path) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
    """Where the numbers begin, their type and shape."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX or not head[3]:
        raise DataError(f"{path} is no IDX file: it does not begin with 0, 0, type, number of axes")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise DataError(f"{path} is truncated")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    offset, dtype = 4 + 4 * head[3], np.dtype(_IDX[head[2]])
    there, announced = _size(file) - offset, dtype.itemsize * math.prod(shape)
    if there != announced:
        raise DataError(f"{path} is truncated or damaged: it has {there} bytes of numbers, {announced} are announced")
    return offset, dtype, shape


def _images(path: Path, stream: bool | None) -> Any:
    with _opened(path) as file:
        offset, dtype, shape = _header(file, path)
        if len(shape) < 2:
            raise DataError(f"{path} has one axis: those are labels", "name the file of the images")
        return kept(Rows(file, offset, dtype, (shape[0], math.prod(shape[1:])), str(path)), stream)


def _labels(images: Path) -> Array | None:
    """The labels beside images: train-labels-idx1-ubyte for train-images-idx3-ubyte, gzipped or not."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    path = next((p for p in (images.with_name(name), images.with_name(name + ".gz")) if p.exists()), None)
    if path is None or path.name.removesuffix(".gz") == images.name.removesuffix(".gz"):
        return None
    with _opened(path) as file:
        offset, dtype, shape = _header(file, path)
        if len(shape) != 1:
            raise DataError(f"{path} has {len(shape)} axes: labels have one")
        return Rows(file, offset, dtype, (shape[0], 1), str(path)).whole()[:, 0]


def read_idx(path: Path, target: str | None, stream: bool | None) -> Data:
    """Images and the labels beside them; of a folder the training images, those of the test apart."""
    if target is not None:
        raise DataError(f"the labels of {path} are in the file beside it", "leave out --target")
    if not path.is_dir():
        return Data(_images(path, stream), _labels(path))
    train, test = _beside(path, "train"), _beside(path, "t10k")
    assert train is not None
    held = (None, None) if test is None else (_images(test, stream), _labels(test))
    return Data(_images(train, stream), _labels(train), None, *held)


__all__ = ["is_idx", "kept", "read_idx", "read_npy", "read_npz"]
