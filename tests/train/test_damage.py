"""Damaged files: one sentence with the file's name, or, where no checksum can know, other numbers; never another error."""

import gzip
import json
import random
import re
import struct
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import byhand
from byhand.cli.main import cli
from byhand.errors import DataError
from byhand.train.estimators import MLPClassifier
from byhand.train.saving import load, write_arrays

RNG = np.random.default_rng(0)
X = RNG.standard_normal((23, 3))
Y = np.arange(23) % 2
FLIPS = 60  # of each kind of file
# what a checksum covers to the last bit, and what has none, where another number is another number
CHECKED = ("model", "checkpoint", "d.npz", "packed.npz", "d-images-idx3-ubyte.gz")
UNCHECKED = ("d.npy", "d.parquet", "d-images-idx3-ubyte")


def called(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file of each kind, whole, by name; and the model in place."""
    folder = tmp_path_factory.mktemp("whole")
    model = MLPClassifier((4,), max_epochs=2, random_state=0).fit(X, Y, checkpoint=folder)
    model.save(folder / "model")
    (folder / "checkpoint.safetensors").rename(folder / "checkpoint")
    np.savez(folder / "d.npz", X=X, y=Y)
    np.savez_compressed(folder / "packed.npz", X=X, y=Y)
    np.save(folder / "d.npy", X)
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}), folder / "d.parquet")
    images = b"\0\0\x0e\x03" + struct.pack(">3I", 23, 3, 1) + X.astype(">f8").tobytes()
    (folder / "d-images-idx3-ubyte").write_bytes(images)
    (folder / "d-images-idx3-ubyte.gz").write_bytes(gzip.compress(images, mtime=0))
    return folder


def used(files, name, path):
    """What comes of a file, as the command line and Python say it: (exit code, result, what was said)."""
    if name == "checkpoint":
        target = path.parent / "checkpoint.safetensors"
        target.write_bytes(path.read_bytes())
        again = MLPClassifier((4,), max_epochs=2, random_state=0)
        try:
            again.fit(X, Y, checkpoint=path.parent, resume=True)
        except DataError as error:
            return 2, "", str(error)
        return 0, {n: v.tolist() for n, v in again.parameters_.items()}, ""
    model, data = (path, files / "d.npy") if name == "model" else (files / "model", path)
    found = called("predict", model, data)
    return found.exit_code, found.stdout, found.output


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("name", [*CHECKED, *UNCHECKED])
def test_a_flipped_bit_is_refused_or_harmless(files, tmp_path, name):
    content = (files / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content)
    code, result, said = used(files, name, path)
    assert code == 0, said
    rng = random.Random(name)
    head = [8 * k + rng.randrange(8) for k in rng.sample(range(min(len(content), 400)), FLIPS // 2)]
    for bit in [*head, *(rng.randrange(8 * len(content)) for _ in range(FLIPS // 2))]:
        path.write_bytes(flipped(content, bit))
        code, found, said = used(files, name, path)
        assert code in (0, 2) and "internal" not in said and "Traceback" not in said, (bit, said)
        if code == 2:
            assert name.split("-")[0] in said and not re.search(
                r"\w(Error|Exception)\b", said.split("Error: ", 1)[-1]
            ), (
                bit,
                said,
            )
        elif name in CHECKED:
            assert found == result, (bit, found)
        if name in ("model", "checkpoint"):
            assert code == 2, bit


@pytest.mark.parametrize("name", [*CHECKED, *UNCHECKED])
def test_a_file_that_is_cut_off_is_refused(files, tmp_path, name):
    content = (files / name).read_bytes()
    path = tmp_path / name
    for size in (0, 1, 9, len(content) // 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        code, _, said = used(files, name, path)
        assert code == 2 and "internal" not in said and name.split("-")[0] in said, (size, said)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(23", b"[[["), (b"(23", b"((("), (b"(23", b"'''"), (b"(23", b"(-3"), (b"(23", b"(99"), (b"(23", b"(2L"),
        (b"'<f8'", b"'<f4'"), (b"'<f8'", b"'<c8'"), (b"'<f8'", b"'|O8'"), (b"'<f8'", b"'>U2'"), (b"'<f8'", b"'<f0'"),
        (b"False", b"None "), (b"'shape'", b"'shade'"), (b"(23, 3)", b"(9**9)9"), (b"(23, 3)", b"(23, x)"),
        (b"\x93NUMPY\x01", b"\x93NUMPY\x07"), (b"(23, 3), }        ", b"(99999999999999, 9)}"),
    ],
)  # fmt: skip
def test_a_damaged_header_of_an_array(files, tmp_path, old, new):
    content = (files / "d.npy").read_bytes()
    assert old in content
    path = tmp_path / "bad.npy"
    path.write_bytes(content.replace(old, new))
    found = called("predict", files / "model", path)
    assert found.exit_code == 2 and "bad.npy" in found.stderr and "internal" not in found.stderr, found.output
    if b"U" in new:
        return  # targets may be texts, and these are some
    found = called("train", files / "d.npy", "--target", path, "-o", tmp_path / "m")
    assert found.exit_code == 2 and "bad.npy" in found.stderr, found.output


@pytest.mark.parametrize("sizes", [(23, 3, 2), (2**32 - 1, 2**32 - 1, 2**32 - 1), (0, 3, 1), (22, 3, 1)])
def test_absurd_sizes_of_idx(files, tmp_path, sizes):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x0e\x03" + struct.pack(">3I", *sizes) + X.astype(">f8").tobytes())
    found = called("predict", files / "model", path)
    assert found.exit_code == 2 and "are announced" in found.stderr, found.output


def test_a_model_that_is_none(tmp_path):
    for content in (b"", b"\x08\0\0\0\0\0\0\0not json and more", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}", b"[" * 9999):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(DataError, match="m is not a whole model of byhand: it is damaged") as error:
            load(tmp_path / "m")
        assert not re.search(r"[a-z](Error|Exception)", str(error.value))


def test_files_of_before_there_was_a_digest(files, tmp_path):
    """They are read, with a warning; a file of now without its digest is not."""
    content = (files / "model").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert re.fullmatch(r"[0-9a-f]{64}", json.loads(header["__metadata__"]["byhand"])["sha256"])
    for version, words in ((1, None), (2, "not a whole model")):
        description = json.loads(header["__metadata__"]["byhand"]) | {"format": version}
        del description["sha256"]
        text = json.dumps(header | {"__metadata__": {"byhand": json.dumps(description)}}).encode()
        (tmp_path / "m").write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
        if words:
            with pytest.raises(DataError, match=words):
                load(tmp_path / "m")
        else:
            with pytest.warns(UserWarning, match="no digest"):
                old = load(tmp_path / "m")
            np.testing.assert_array_equal(old.predict_proba(X), load(files / "model").predict_proba(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        byhand.load(files / "model")


def test_a_name_like_the_digest_does_no_harm(tmp_path):
    from byhand.train.saving import read_arrays

    like = '"sha256": "' + "0" * 64 + '"'
    arrays = {like: X, "sha256": Y}
    write_arrays(tmp_path / "a", arrays, {"format": 2, "text": like}, "byhand")
    found, description = read_arrays(tmp_path / "a", "byhand", "model", 1)
    assert {n: v.tolist() for n, v in found.items()} == {n: v.tolist() for n, v in arrays.items()}
    assert description["format"] == 2
