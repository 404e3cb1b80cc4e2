"""Anybody's tables: every form of an architecture is understood, everything doubtful is refused with its row."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from benchmarks.errors import DataError, UsageError
from benchmarks.rows import read_estimates, read_rows
from benchmarks.space import Space, nasbench201

SPACE = nasbench201()
CHOSEN = np.array([6111, 0, 13714, 42])
VALUES = np.array([94.37, 85.86, 94.36, 10.0])
NAN = float("nan")
ARCHS = [SPACE.strings[i] for i in CHOSEN]


def nested(space: Space, index: int, kind: type = tuple) -> object:
    """The genotype as FS-NAS and EFS-NAS write it: per node its (operation, source)."""
    nodes: dict[int, list[object]] = {}
    for (source, target), op in zip(space.edges, space.codes[index], strict=True):
        nodes.setdefault(target, []).append(kind((space.op_names[op], source)))
    return [kind(nodes[target]) for target in sorted(nodes)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, content: object) -> Path:
    return write(path, json.dumps(content))


def write_parquet(path: Path, **columns: object) -> Path:
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def write_csv(path: Path, **columns: object) -> Path:
    pyarrow.csv.write_csv(pa.table(columns), path)
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "parquet": lambda p: write_parquet(p, arch=ARCHS, acc=VALUES),
    "parquet, categories": lambda p: write_parquet(p, arch=pa.array(ARCHS).dictionary_encode(), acc=VALUES),
    "parquet, other name": lambda p: write_parquet(p, network=ARCHS, note=["x"] * 4, acc=VALUES),
    "parquet, float32": lambda p: write_parquet(p, index=CHOSEN, acc=VALUES.astype(np.float32)),
    "csv": lambda p: write_csv(p, arch=ARCHS, acc=VALUES),
    "csv, index": lambda p: write_csv(p, index=CHOSEN, acc=VALUES),
    "csv, both and pandas' row numbers": lambda p: write_csv(
        p, **{"": [0, 1, 2, 3]}, index=CHOSEN, arch=ARCHS, acc=VALUES),
    "csv, nested": lambda p: write_csv(p, arch=[str(nested(SPACE, i)) for i in CHOSEN], acc=VALUES),
    "csv, Windows": lambda p: write(p, "\ufeffarch,acc\r\n" + "".join(
        f"{a},{v}\r\n" for a, v in zip(ARCHS, VALUES, strict=True))),
    "json": lambda p: write_json(p, dict(zip(ARCHS, VALUES, strict=True))),
    "json, EFS-NAS": lambda p: write_json(p, {str(nested(SPACE, i)): v for i, v in zip(CHOSEN, VALUES, strict=True)}),
    "json, tuples": lambda p: write_json(p, {str(tuple(nested(SPACE, i))): v  # type: ignore[arg-type]
                                             for i, v in zip(CHOSEN, VALUES, strict=True)}),
    "json, records": lambda p: write_json(p, [{"arch": a, "acc": v} for a, v in zip(ARCHS, VALUES, strict=True)]),
    "json, nested lists": lambda p: write_json(p, [{"genotype": nested(SPACE, int(i), list), "acc": v}
                                                   for i, v in zip(CHOSEN, VALUES, strict=True)]),
    "json, columns": lambda p: write_json(p, {a: {"acc": v} for a, v in zip(ARCHS, VALUES, strict=True)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_estimates(tmp_path: Path, form: str) -> None:
    path = FORMS[form](tmp_path / "estimates")  # no suffix: the content decides
    estimates = read_estimates(path, None, SPACE)
    assert estimates.dtype == np.float64
    assert estimates.shape == (15625,)
    assert np.allclose(estimates[CHOSEN], VALUES, atol=1e-5)
    assert np.count_nonzero(~np.isnan(estimates)) == 4


def test_missing_values_are_nan_in_every_format(tmp_path: Path) -> None:
    for path in (write_parquet(tmp_path / "a", arch=ARCHS, acc=pa.array([1, None, 3, 4])),
                 write(tmp_path / "b", "arch,acc\n" + "".join(f"{a},{v}\n" for a, v in zip(
                     ARCHS, ("1", "", "3", "4"), strict=True))),
                 write(tmp_path / "c", json.dumps(dict(zip(ARCHS, (1, None, 3, 4), strict=True)))),
                 write(tmp_path / "d", json.dumps(dict(zip(ARCHS, (1, "nan", 3, 4), strict=True)))),
                 write(tmp_path / "e", json.dumps(dict(zip(ARCHS, (1, NAN, 3, 4), strict=True))))):
        assert np.array_equal(read_estimates(path, None, SPACE)[CHOSEN], [1, np.nan, 3, 4], equal_nan=True)


def test_edges_may_stand_in_any_order(tmp_path: Path) -> None:
    arch = SPACE.strings[7]
    node1, node2, node3 = arch.split("+")
    turned = "+".join([node1, node2, "|" + "|".join(reversed(node3.strip("|").split("|"))) + "|"])
    path = write_json(tmp_path / "f", {turned: 1.0})
    assert list(read_rows(path, SPACE).index) == [7]
    with pytest.raises(DataError, match=r"row 2.*stands twice"):
        read_rows(write_json(tmp_path / "g", {turned: 1.0, arch: 1.0}), SPACE)


def test_the_column_is_the_only_one_or_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "f.csv", arch=ARCHS, one_shot=VALUES, few_shot=VALUES + 1, note=["a", "b", "c", "d"])
    assert read_estimates(path, "few_shot", SPACE)[0] == pytest.approx(86.86)
    with pytest.raises(UsageError, match=r"several columns.*one_shot, few_shot"):
        read_estimates(path, None, SPACE)
    with pytest.raises(UsageError, match="did you mean 'few_shot'"):
        read_estimates(path, "fewshot", SPACE)
    with pytest.raises(DataError, match=r"'note'.*not numeric: row 1 holds 'a'"):
        read_estimates(path, "note", SPACE)


GOOD = "arch,acc\n" + "".join(f"{a},{v}\n" for a, v in zip(ARCHS, VALUES, strict=True))
BAD = {
    "unknown operation": (GOOD.replace("nor_conv_3x3", "conv_5x5"), "row 1.*conv_5x5"),
    "an edge missing": ("arch,acc\n|none~0|+|none~0|none~1|,1\n", "row 1.*exactly the edges"),
    "duplicate architecture": (GOOD + f"{ARCHS[1]},3\n", "row 5.*stands twice \\(first in row 2\\)"),
    "index contradicts architecture": (f"index,arch,acc\n5,{ARCHS[1]},3\n",
                                       "row 1: the index 5 is not that of.*which is 0"),
    "index out of range": ("index,acc\n3,1\n15625,2\n", "row 2: '15625.0' is no index"),
    "index no integer": ("index,acc\n3.5,1\n", "row 1: '3.5' is no index"),
    "index missing": ("index,acc\n3,1\n,2\n", "row 2: 'nan' is no index"),
    "index text": ("index,acc\na,1\n", "row 1: 'a' is no index"),
    "no architectures": ("name,acc\na,1\n", "does not say which architecture"),
    "NASLib code": ('arch,acc\n"(4, 3, 3, 0, 0, 0)",1\n', "row 1.*not a nasbench201 architecture"),
    "no header": (GOOD.split("\n", 1)[1], "no header"),
    "no rows": ("arch,acc\n", "no rows"),
    "empty": ("", "does not end with a line break"),
    "cut in a number": (GOOD[:-2], "may be cut short"),
    "cut in a row": (GOOD + "|none~0|\n", "no whole"),
    "two columns of one name": (GOOD.replace("arch,acc", "arch,arch"), "two columns 'arch'"),
    "no numbers": (GOOD.replace("85.86", "85.8x"), "'acc': row 2 holds '85.8x'"),
    "infinite": (GOOD.replace("85.86", "inf"), "infinite in row 2"),
    "JSON cut": (json.dumps(dict.fromkeys(ARCHS, 1.0))[:-3], "no whole"),
    "JSON duplicate": (f'{{"{ARCHS[0]}": 1, "{ARCHS[0]}": 2}}', "stands twice"),
    "JSON infinite": (f'{{"{ARCHS[0]}": Infinity}}', "infinite in row 1"),
    "JSON huge": (f'{{"{ARCHS[0]}": 1{"0" * 400}}}', "no whole"),
    "JSON boolean": (f'{{"{ARCHS[0]}": true}}', "no column of numbers"),
    "JSON of something else": ("[1, 2, 3]", "no table in JSON"),
    "JSON of nothing": ("{}", "does not say which architecture"),
    "JSON deep": ("[" * 100_000, "no whole"),
    "genotype deep": (f'{{"{"[" * 500}": 1}}', "row 1.*not a nasbench201"),
    "genotype long": (f'{{"{"[(" * 5000}": 1}}', "row 1.*not a nasbench201"),
    "genotype of code": ('{"[((__import__, 0),)]": 1}', "row 1.*not a nasbench201"),
    "genotype with a smuggled string": (json.dumps({f"[(('{ARCHS[0].strip('|')[:-2]}', 0),)]": 1}),
                                        "row 1.*not a nasbench201"),
    "genotype with a boolean source": ("{\"[(('none', False),)]\": 1}", "row 1.*not a nasbench201"),
    "two columns of architectures": (f"a,b,acc\n{ARCHS[0]},{ARCHS[0]},1\n", "several architecture columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_their_row(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(DataError, match=message) as error:
        read_estimates(write(tmp_path / "f", text), None, SPACE)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700


def test_damaged_and_absent_files_are_refused(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "whole", arch=ARCHS, acc=VALUES).read_bytes()
    for cut in (4, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:cut])
        with pytest.raises(DataError, match="no whole"):
            read_rows(tmp_path / "cut", SPACE)
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="no whole"):
        read_rows(tmp_path / "binary", SPACE)
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "absent", SPACE)
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path, SPACE)


def test_a_whole_space_of_nested_tuples(tmp_path: Path) -> None:
    path = write_json(tmp_path / "f", {str(nested(SPACE, i)): float(i) for i in range(len(SPACE))})
    assert np.array_equal(read_estimates(path, None, SPACE), np.arange(15625.0))


@pytest.mark.real_data
def test_the_real_table_and_published_estimates(shared_data: Path) -> None:
    rows = read_rows(shared_data / "nasbench201.parquet", SPACE)
    assert np.array_equal(rows.index, np.arange(15625))
    assert rows.spread("c10_test_200")[13714] == pytest.approx(94.373, abs=5e-4)
    assert set(rows.texts) == {"naslib_tuple", "iso_str"}
    with pytest.raises(DataError, match="stands twice"):  # one row per architecture and data set
        read_rows(shared_data / "zero_cost_proxies.parquet", SPACE)
