"""The figures and tables that the README shows follow from the published runs; each figure lies beside the CSV that says so."""

import re
from pathlib import Path

import pytest
from command import harness

from harness.figures.gallery import figure
from harness.report.attribution import probability
from harness.report.rows import Row, groups
from harness.runs.collection import collect

ROOT = Path(__file__).parents[1]
PUBLISHED, README = ROOT / "results" / "published", (ROOT / "README.md").read_text()
SHOWN = sorted(set(re.findall(r"\]\(results/figures/([^)]+)\.png\)", README)))


def test_all_of_them_are_there_and_no_others() -> None:
    assert SHOWN
    assert sorted(path.name for path in (ROOT / "results" / "figures").iterdir()) == sorted(
        f"{name}.{kind}" for name in SHOWN for kind in ("csv", "png"))


@pytest.mark.parametrize("name", SHOWN)
def test_a_figure_shows_the_published_runs(name: str) -> None:
    kind, _, runs = name.partition("-")
    asked = {group.question.slug: group for group in groups(collect([PUBLISHED]).records)}
    frame = figure(kind).frame([record for row in asked[runs].rows for record in row.records.values()])
    kept = figure(kind).read(ROOT / "results" / "figures" / f"{name}.csv")
    assert frame.shape == kept.shape
    for column in frame:
        if column in figure(kind).texts:
            assert frame[column].astype(str).tolist() == kept[column].tolist()
        else:
            assert kept[column].to_numpy(float) == pytest.approx(frame[column].to_numpy(float), rel=1e-6, nan_ok=True)


def digits_rows() -> dict[tuple[str, str, int], Row]:
    """Of `nonlinear` by share, sampler and gamma."""
    runs = collect([PUBLISHED / "digits201-controls", PUBLISHED / "digits201-factorial"]).records
    [group] = groups([record for record in runs if record.spec.criterion == "nonlinear"])
    return {(row.settings["share"], row.settings["sampler"], row.settings["network.gamma"]): row for row in group.rows}


def test_the_factorial_of_the_readme() -> None:
    known, found = digits_rows(), 0
    for share, sampler, *cells in re.findall(
            r"^\| \d \(`--share (\w+)`\).* \| `(\w+)` \| ([\d.]+) ± ([\d.]+) \| ([\d.]+) ± ([\d.]+) \|", README, re.MULTILINE):
        taus = [known[share, sampler, gamma].spread(lambda record: record.value("tau", "value")) for gamma in (1, 2)]
        assert [f"{value:.3f}" for each in taus for value in (each.mean, each.sd)] == cells
        found += 1
    assert found == 6


def test_the_effects_of_the_readme() -> None:
    runs = f"{PUBLISHED / 'digits201-controls'} {PUBLISHED / 'digits201-factorial'}"
    effects = harness(f"attribute {runs} --where criterion=nonlinear --json").json["effects"]
    shown = re.findall(r"^\| ([\w, ]+: .*) \| ([+-][\d.]+) \| \[(\S+), (\S+)\] \| ([<\d. ]+) \| ([<\d. ]+) \|$", README,
                       re.MULTILINE)
    assert [name for name, *_ in shown] == [f"{', '.join(each['factors'])}: {each['contrast']}" for each in effects
                                            if each["kind"] != "mean"]
    numbers = [[f"{each['value']:+.3f}", f"{each['low']:+.3f}", f"{each['high']:+.3f}",
                probability(each["p"]), probability(each["p_holm"])]
               for each in effects if each["kind"] != "mean"]
    assert [list(cells) for _, *cells in shown] == numbers
