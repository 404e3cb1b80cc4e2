"""NASLib's and NAS-Bench-Suite-Zero's JSON, which names an architecture by six operation numbers.

`zc_nasbench201.json` is `{dataset: {"(4, 0, 3, 1, 4, 3)": {proxy: {"score": ..., "time": ...}, "val_accuracy": ...}}}`; other
files of NASLib are `{architecture: number}` or a list of `{"arch": [4, 0, 3, 1, 4, 3], "accuracy": ...}`. Their val_accuracy
is a single run of NASLib's own choice that equals no seed of the official files, so its source is called "naslib".
Layout: github.com/automl/NASLib (branch zerocost); the order of edges and operations is that of its NAS-Bench-201 space.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.columns import json_columns, read_json
from benchmarks.convert.naming import NASLIB, column_name
from benchmarks.errors import DataError
from benchmarks.rows import Rows
from benchmarks.space import Space
from benchmarks.truth import TruthKey

OPS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
# NASLib's edges are 1-2, 1-3, 1-4, 2-3, 2-4, 3-4; the official string goes node by node.
OFFICIAL_ORDER = (0, 1, 3, 2, 4, 5)
NODES = ((0, 1), (1, 3), (3, 6))
SIX = r"[(\[]?\s*[0-4](?:\s*,\s*[0-4]){5}\s*,?\s*[)\]]?"
ACCURACY = "val_accuracy"
BOUND = 1e9
# What NASLib calls a dataset -> what was trained on for its validation accuracy.
DATASETS = {"cifar10": "half", "cifar100": "full", "ImageNet16-120": "full"}


def naslib_rows(path: Path, content: bytes, space: Space) -> Rows:
    """The accuracies of what a JSON file of NASLib holds, joined to the architectures of `space`.

    Of a file with datasets they are columns named like c10valid_valid_200_naslib, and its proxies are left out; else the
    columns keep their names. Raises DataError for content that is no JSON and for an architecture that is none or stands twice.
    """
    said = read_json(path, content)
    if isinstance(said, dict) and said and not any(re.fullmatch(SIX, str(key).strip()) for key in said):
        return _of_datasets(path, said, space)
    columns = json_columns(path, said)
    if "arch" not in columns:
        raise DataError(f"{path} does not say which architecture a number belongs to; each needs its six operations as 'arch'.")
    index = [_index(path, arch, space) for arch in columns.pop("arch")]
    if len(set(index)) < len(index):
        again = next(i for i, count in Counter(index).items() if count > 1)
        raise DataError(f"{path}: architecture '{space.strings[again]}' stands twice; keep one entry of it.")
    numbers = {name: values for name, values in columns.items() if isinstance(values, np.ndarray)}
    texts = {name: "it holds no numbers" for name in columns if name not in numbers}
    return Rows(str(path), space, np.array(index, dtype=np.int64), numbers, texts)


def _of_datasets(path: Path, content: dict[str, object], space: Space) -> Rows:
    columns, left_out = {}, dict[str, str]()
    for dataset, entries in content.items():
        if dataset not in DATASETS:
            left_out[dataset] = "it is no dataset of the official benchmark"
            continue
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise DataError(f"{path}: '{dataset}' does not map architectures to their scores; download the file again.")
        values, seen = np.full(len(space), np.nan), set[int]()
        for arch, entry in entries.items():
            i, value = _index(path, arch, space), entry.get(ACCURACY)
            if i in seen:
                raise DataError(f"{path}: '{arch}' of {dataset} stands twice; keep one entry of it.")
            # A whole number of JSON may have more digits than any float.
            if value is not None and (type(value) not in (int, float) or abs(value) > BOUND):
                raise DataError(f"{path}: {ACCURACY} of '{arch}' of {dataset} is {_short(value)}, which is no accuracy; download "
                                "the file again.")
            values[i] = np.nan if value is None else value
            seen.add(i)
            left_out.update({proxy: "it is no accuracy" for proxy in entry if proxy != ACCURACY})
        columns[column_name(TruthKey(NASLIB, dataset, "valid", 200, DATASETS[dataset]), "mean")] = values
    if not columns:
        raise DataError(f"{path} has none of the datasets {', '.join(DATASETS)}, but {', '.join(list(left_out)[:6])}; give the "
                        "file of NAS-Bench-201, zc_nasbench201.json.")
    return Rows(str(path), space, np.arange(len(space)), columns, left_out)


def _index(path: Path, arch: object, space: Space) -> int:
    """The official index of six operation numbers, as text or as a list."""
    text = str(arch).strip()
    if not re.fullmatch(SIX, text):
        raise DataError(f"{path}: '{text[:120]}' is no architecture of NASLib; it must be six operation numbers from 0 to 4, "
                        "for example (4, 0, 3, 1, 4, 3).")
    ops = [OPS[int(digit)] for digit in re.findall(r"[0-4]", text)]
    edges = [ops[e] for e in OFFICIAL_ORDER]
    return space.index_of("+".join("|" + "|".join(f"{op}~{j}" for j, op in enumerate(edges[start:end])) + "|"
                                   for start, end in NODES))


def _short(value: object) -> str:
    return f"a number of {value.bit_length()} bits" if isinstance(value, int) else repr(str(value)[:60])
