"""Extracts of NAS-Bench-201 to import: a table of a few architectures, its file, and what its numbers are."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.space import nasbench201

SPACE = nasbench201()
# What is said of a column whose name does not say it.
WHAT = {"dataset": "cifar10", "split": "test", "epochs": 200, "train_on": "full"}


def frame(rows: int = 5, **columns: object) -> pd.DataFrame:
    """Every third architecture from the first on, in so many rows, with these columns."""
    index = np.arange(rows) * 3
    return pd.DataFrame({"index": index, "arch": [SPACE.strings[i] for i in index], **columns})


def save(data: pd.DataFrame, path: Path) -> Path:
    """Writes it in the format that the name of the file ends with."""
    if path.suffix == ".csv":
        data.to_csv(path, index=False)
    else:
        data.to_parquet(path)
    return path
