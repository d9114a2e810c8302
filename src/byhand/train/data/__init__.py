"""Data from files: tables (CSV, Parquet), arrays (.npz, .npy, IDX), scikit-learn's sets; large ones stay on disk."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byhand.train.data.data import Data as Data
    from byhand.train.data.rows import Rows as Rows
    from byhand.train.data.sources import SETS as SETS
    from byhand.train.data.sources import read as read
    from byhand.train.data.table import is_classification as is_classification

_HOMES = {"Data": "data", "Rows": "rows", "SETS": "sources", "read": "sources", "is_classification": "table"}
__all__ = ["SETS", "Data", "Rows", "is_classification", "read"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for: a fit of arrays reads no files."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
