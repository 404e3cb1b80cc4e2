"""The CIFAR-10 tables of both READMEs follow from the published runs."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from command import harness
from markdown_table import shown_in
from wide_and_narrow import agreement

from harness.figures.gallery import figure
from harness.measures.tau import tau_b
from harness.report.summary import scaled
from harness.runs.collection import Record, collect
from harness.runs.evidence import estimates_of, truth_of
from harness.runs.run import populations_of

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
Cell = tuple[str, str, str]


@pytest.fixture(scope="module")
def published() -> dict[Cell, dict[int, Record]]:
    """The runs of the table: share, sampler and gamma as it writes them -> seed -> record."""
    names = {("all", "uniform", "moving"): "uniform (one-shot)", ("part", "sbs", "frozen"): "sbs, `frozen`"}
    found: dict[Cell, dict[int, Record]] = {}
    for record in collect([RESULTS / "published" / "cifar10-cpu"]).records:
        spec = record.spec
        if spec.estimation.split == "test":  # of Table 1
            continue
        name = names.get((spec.share, spec.sampler, spec.recipe.unsampled), spec.sampler)
        found.setdefault((spec.share, name, str(spec.network.gamma)), {})[spec.seed] = record
    return found


def shown() -> dict[Cell, dict[str, str]]:
    return {(row["share"], row["sampler"], row["gamma"]): row for row in shown_in(RESULTS / "README.md", "cifar10-cpu")}


def each_seed(records: dict[int, Record], decimals: int, *path: str, population: str | None = None) -> str:
    return " / ".join(f"{records[seed].value(*path, population=population):.{decimals}f}" for seed in sorted(records))


def test_the_table_is_that_of_its_runs(published: dict[Cell, dict[int, Record]]) -> None:
    assert set(shown()) == set(published)
    for cell, row in shown().items():
        records = published[cell]
        taus = [record.value("tau", "value") for record in records.values()]
        assert row["tau-b, seeds 0 / 1"].replace(" / not run", "") == each_seed(records, 3, "tau", "value")
        assert row["mean"] == (f"{sum(taus) / 2:.3f}" if len(taus) == 2 else "")
        assert row["within parts"] == each_seed(records, 3, "decomposition", "within")
        assert row["across parts"] == each_seed(records, 3, "decomposition", "across")
        assert row["top 150"] == each_seed(records, 3, "tau", "value", population="top 150")
        assert row["regret@10"] == each_seed(records, 2, "regret", "10", "mean")
        flops = [record.budget.flops for record in records.values()]
        assert row["FLOPs"] == scaled(sum(flops) / len(flops))


def test_the_first_page_shows_the_same() -> None:
    """But for the run with another recipe."""
    supernets = {"all": "1 (`--share all`)", "part": "3 (`--share part`)"}
    same = ("tau-b, seeds 0 / 1", "within parts", "across parts", "top 150", "regret@10")
    expected = {}
    for (share, sampler, gamma), row in shown().items():
        if "frozen" not in sampler:
            expected[supernets[share], sampler.partition(" ")[0], gamma] = [row[name] for name in same]
    first = shown_in(ROOT / "README.md", "Does splitting help?", "supernets | sampler | gamma")
    assert {(row["supernets"], row["sampler"].split("`")[1], row["gamma"]): [row[name] for name in same]
            for row in first} == expected


@pytest.mark.real_data
def test_wide_and_narrow_rank_as_alike_as_is_said(published: dict[Cell, dict[int, Record]], shared_data: Path) -> None:
    assert harness(f"data import {shlex.quote(str(shared_data / 'nasbench201.parquet'))} --as nasbench201").code == 0
    runs = [record for records in published.values() for record in records.values() if record.spec.recipe.unsampled == "moving"]
    found = figure("widths").frame(runs).drop_duplicates("method").set_index("method").round(3)
    one, three = found.loc["nonlinear, all"], found.loc["nonlinear, part"]
    assert (one["seeds"], three["seeds"], one["candidates"]) == (1, 1, 943)
    alike = {share: [f"{pairs[0]:.3f}" for pairs in agreement(runs)["nonlinear", share, "sbs"]] for share in ("all", "part")}
    inside, across = zip(alike["part"], alike["all"], strict=True)
    first, second = (" ".join((folder / "README.md").read_text().split()) for folder in (ROOT, RESULTS))
    said = f"inside parts by {' and '.join(inside)}, across them by {' and '.join(across)}"
    assert f"by {three['tau']:.3f} with three supernets and by {one['tau']:.3f} with one (`sbs`, one seed); {said}" in first
    assert (f"is {one['all_mean']:.3f} with one supernet and {three['all_mean']:.3f} with three, and on the top 150 of them "
            f"{one['tau']:.3f} and {three['tau']:.3f}") in second


@pytest.mark.real_data
def test_the_column_by_loss_follows_from_the_estimates(published: dict[Cell, dict[int, Record]], shared_data: Path) -> None:
    assert harness(f"data import {shlex.quote(str(shared_data / 'nasbench201.parquet'))} --as nasbench201").code == 0
    for cell, row in shown().items():
        made_again = []
        for _, record in sorted(published[cell].items()):
            truth, columns = truth_of(record), estimates_of(record)
            members = populations_of(record.spec, truth)[0].members
            loss = columns["loss"][np.searchsorted(columns["index"], members)]
            made_again.append(f"{tau_b(-loss, truth.mean()[members]):.3f}")
        assert row["by loss"] == " / ".join(made_again), row
