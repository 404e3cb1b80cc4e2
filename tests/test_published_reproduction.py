"""Published tables of papers follow from the published runs, and the README shows what they say."""

import csv
from pathlib import Path

import pytest
from markdown_table import shown_in

from harness.experiments import reproduction
from harness.experiments.reproduction import Row, Table, read_table
from harness.measures.statistics import spread
from harness.presets import resolve
from harness.runs.collection import Record, collect

RESULTS = Path(__file__).parents[1] / "results"
BUDGETS = sorted(path.parent.name.rpartition("-")[2] for path in (RESULTS / "published").glob("efs-nas-table1-*/table1.csv"))


@pytest.fixture(scope="module")
def runs() -> list[Record]:
    return list(collect([RESULTS / "published"]).records)


def published(budget: str) -> list[dict[str, str]]:
    with (RESULTS / "published" / f"efs-nas-table1-{budget}" / "table1.csv").open() as file:
        return list(csv.DictReader(file))


def runs_of(table: Table, row: Row, budget: str, seeds: int, runs: list[Record]) -> list[Record]:
    """The published runs of a row, one of each seed; all are judged by the truth that the table asks for."""
    asked = [resolve(*reproduction._layers(table, row, budget, seed, {})) for seed in range(seeds)]
    return [record for spec in asked for record in runs if record.spec == spec]


def test_both_budgets_are_published() -> None:
    assert BUDGETS == ["cpu", "smoke"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_each_number_is_that_of_its_runs(budget: str, runs: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "_at_hand", lambda key, bench: True)
    table, lines = read_table("efs-nas:table1"), {line["row"]: line for line in published(budget)}
    for row in table.rows:
        line = lines.pop(row.title)
        mine = runs_of(table, row, budget, int(line["seeds_asked"]), runs)
        assert (len(mine), float(line["expected"])) == (int(line["seeds"]), row.expected["tau"])
        if not mine:
            assert (line["verdict"], line["mean"], line["budget_ratio"]) == ("missing", "", "")
            continue
        found = spread([record.value("tau", "value") for record in mine])
        assert float(line["mean"]) == pytest.approx(found.mean, abs=1e-12)
        assert (line["sd"] == "") if found.n == 1 else float(line["sd"]) == pytest.approx(found.sd, abs=1e-12)
        assert {record.population for record in mine} == {line["population"]}
        assert row.images
        assert float(line["budget_ratio"]) == pytest.approx(mine[0].budget.images / row.images)
        assert line["verdict"] == "not comparable"  # no run of the paper's length is published
    assert set(lines) == {"flops[live=true]", "nonlinear[count=live]", "hand_rule"}


@pytest.mark.parametrize("budget", BUDGETS)
def test_the_readme_shows_it(budget: str) -> None:
    lines = [line for line in published(budget) if line["seeds"] != "0" and line["budget_ratio"]]
    shown = shown_in(RESULTS / "README.md", f"efs-nas-table1-{budget}")
    assert [row["row"] for row in shown] == [line["row"] for line in lines]
    for row, line in zip(shown, lines, strict=True):
        assert row["expected"] == line["expected"]
        spread_ = f" ± {float(line['sd']):.3f}" if line["sd"] else ""
        assert row["measured"] == f"{float(line['mean']):.3f}{spread_}"
        assert row["budget ratio"] == f"{float(line['budget_ratio']):.2g}"
        assert row.get("seeds", "1") == line["seeds"]
