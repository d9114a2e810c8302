"""The page on code that is taken in names every row, and no other."""

import re
from pathlib import Path

from byhand.ingest.jax_rows import PRIMITIVES
from byhand.ingest.torch_rows import OPERATIONS

PAGE = (Path(__file__).parents[2] / "docs/ingest.md").read_text("utf-8")


def test_the_lists_are_the_tables():
    _, primitives, operations = re.split(
        r"^Primitives of JAX.*?\n\n|^Operations of PyTorch:\n\n", PAGE, flags=re.MULTILINE
    )
    for part, table in ((primitives, PRIMITIVES), (operations, OPERATIONS)):
        listed = re.findall(r"`(\w+)`", part.split("\n\n")[0])
        assert sorted(listed) == sorted(table)
