"""NASLib: its JSON comes in under the official architectures, and what is wrong with it is said."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.convert import import_table
from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import table_path
from benchmarks.truth import load_truth
from tests.extracts import WHAT

SPACE = nasbench201()
NASLIB_ARCH = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"


def suite_zero(**datasets: dict[str, float]) -> dict[str, object]:
    proxies = {"id": 1, "synflow": {"score": 3.0, "time": 0.1}}
    return {name: {arch: {**proxies, "val_accuracy": value} for arch, value in entries.items()}
            for name, entries in datasets.items()}


def test_nas_bench_suite_zero(tmp_path: Path) -> None:
    source = tmp_path / "zc_nasbench201.json"
    content = suite_zero(cifar10={"(4, 0, 3, 1, 4, 3)": 87.88}, cifar100={"(1, 1, 1, 1, 1, 1)": 1.0}, svhn={})
    source.write_text(json.dumps(content))
    summary = import_table(source, "mine")
    assert (summary.format, summary.architectures) == ("naslib-json", 2)
    assert summary.columns == ("c10valid_valid_200_naslib", "c100_valid_200_naslib")
    assert set(summary.skipped) == {"id", "synflow", "svhn"}
    truth = load_truth("naslib/cifar10/valid/200/half", "mine")
    assert truth.mean()[SPACE.strings.index(NASLIB_ARCH)] == 87.88
    assert truth.n_trials.sum() == 1


def test_other_json_of_naslib(tmp_path: Path) -> None:
    for name, content in (("list", [{"arch": [4, 0, 3, 1, 4, 3], "accuracy": 87.88}]), ("map", {"(4, 0, 3, 1, 4, 3)": 87.88})):
        source = tmp_path / f"{name}.json"
        source.write_text(json.dumps(content))
        with pytest.raises(UsageError, match=r"say --format naslib-json"):
            import_table(source, name, **WHAT)  # type: ignore[arg-type]
        summary = import_table(source, name, form="naslib-json", **WHAT)  # type: ignore[arg-type]
        assert (summary.architectures, load_truth(f"{name}/cifar10/test/200/full", name).mean()[SPACE.strings.index(NASLIB_ARCH)]
                ) == (1, 87.88)


@pytest.mark.parametrize(("content", "says"), [
    ('{"cifar10": {"(4, 0, 3, 1, 4, 5)": {"val_accuracy": 1.0}}}', "it must be six operation numbers"),
    ('{"cifar10": {"(4,0,3,1,4,3)": {"val_accuracy": 1.0}, "(4, 0, 3, 1, 4, 3)": {"val_accuracy": 2.0}}}', "stands twice"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": "x"}}}', "is 'x', which is no accuracy"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": true}}}', "which is no accuracy"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": 1' + 400 * "0" + "}}}", "a number of 1329 bits"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": NaN}}}', "has no value of any architecture"),
    ('{"cifar10": {}}', "has no value of any architecture"),
    ("{}", "does not say which architecture a number belongs to"),
    ("[1, 2]", "is no table in JSON"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": 101.0}}}', "101.0 for architecture"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": 1.0}}', "does not map architectures to their scores"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": 1.0}', "no whole JSON file"),
    ('{"ninapro": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": 1.0}}}', "has none of the datasets"),
    ('{"cifar10": {"(4, 0, 3, 1, 4, 3)": {"val_accuracy": 1.0, "val_accuracy": 2.0}}}', "'val_accuracy' stands twice"),
])
def test_bad_json_of_naslib(tmp_path: Path, content: str, says: str) -> None:
    source = tmp_path / "s.json"
    source.write_text(content)
    with pytest.raises(DataError, match=re.escape(says)):
        import_table(source, "mine", form="naslib-json")
    assert not table_path("mine").exists()


@pytest.mark.real_data
def test_naslibs_architectures_are_the_official_ones(tmp_path: Path, shared_data: Path) -> None:
    import pyarrow.parquet as pq

    official = pq.read_table(shared_data / "nasbench201.parquet", columns=["arch", "naslib_tuple"])
    names = [str(entry).strip() for entry in official["naslib_tuple"].to_pylist()]
    source = tmp_path / "zc.json"
    source.write_text(json.dumps(suite_zero(cifar10={name: i / 1000 for i, name in enumerate(names)})))
    assert import_table(source, "mine").missing == 0
    truth = load_truth("naslib/cifar10/valid/200/half", "mine").mean()
    np.testing.assert_array_equal(truth, np.round(np.arange(len(names)) / 1000, 6))
