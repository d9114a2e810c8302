"""Data from files: tables (CSV, Parquet), arrays (.npz, .npy, IDX), scikit-learn's sets; large ones stay on disk."""

from byhand.train.data.data import Data
from byhand.train.data.rows import Rows
from byhand.train.data.sources import SETS, read
from byhand.train.data.table import is_classification

__all__ = ["SETS", "Data", "Rows", "is_classification", "read"]
