"""The figures and tables that the README shows follow from the published runs; each figure lies beside the CSV that says so."""

import re
from pathlib import Path

import numpy as np
import pytest
from command import harness

from harness.figures.gallery import figure
from harness.figures.style import beside
from harness.measures.statistics import difference, spread
from harness.report.attribution import probability
from harness.report.plates import dataset_of
from harness.report.rows import Row, groups
from harness.runs.collection import Record, collect

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
    asked: dict[str, list[Record]] = {}
    for group in groups(collect([PUBLISHED]).records):
        across = re.sub(r"\W+", "-", dataset_of(group.rows[0].first))  # of all tables of a dataset
        for title in (group.question.slug, across):
            asked.setdefault(title, []).extend(record for row in group.rows for record in row.records.values())
    frame = figure(kind).frame(asked[runs])
    kept = figure(kind).read(ROOT / "results" / "figures" / f"{name}.csv")
    assert frame.shape == kept.shape
    for column in frame:
        if column in figure(kind).texts:
            assert frame[column].astype(str).tolist() == kept[column].tolist()
        else:
            assert kept[column].to_numpy(float) == pytest.approx(frame[column].to_numpy(float), rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_drawn_from_the_data_beside_it(name: str, tmp_path: Path) -> None:
    import matplotlib
    from PIL import Image

    pinned = re.search(r"^matplotlib==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    if matplotlib.__version__ != pinned[1]:
        pytest.skip(f"the pictures are of matplotlib {pinned[1]}, and here is {matplotlib.__version__}")
    kind, kept = figure(name.partition("-")[0]), ROOT / "results" / "figures" / name
    png, _, _ = kind.write(kind.read(beside(kept, "csv")), tmp_path / "again")
    with Image.open(png) as drawn, Image.open(beside(kept, "png")) as shown:
        assert drawn.size == shown.size
        one, other = (np.asarray(image.convert("L"), float) for image in (drawn, shown))
        # Another processor may round the edge of a letter otherwise.
        assert np.abs(one - other).mean() < 0.5, f"draw {kept}.png again with `harness figure --csv`"


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


def test_the_widths_of_the_readme() -> None:
    found = figure("widths").read(next((ROOT / "results" / "figures").glob("widths-*.csv"))).drop_duplicates("method")
    kept = {row.method: f"{row.all_mean:.3f} ± {row.all_sd:.3f} | {row.tau_mean:.3f} ± {row.tau_sd:.3f} | {row.seeds}"
            for row in found.itertuples()}
    for name, method in (("one-shot (`uniform`)", "one-shot (nonlinear), uniform, all"), ("FS-NAS", "edge, sbs, part"),
                         ("`nonlinear`, 3 supernets, `sbs`", "nonlinear, sbs, part"),
                         ("`nonlinear`, 1 supernet, `sbs`", "nonlinear, sbs, all")):
        assert f"| {name} | {kept[method]} |" in README


def test_the_budgets_of_the_readme() -> None:
    taus: dict[tuple[str, int], dict[int, float]] = {}
    for record in collect([PUBLISHED / "digits201-controls", PUBLISHED / "digits201-budget"]).records:
        spec = record.spec
        if (spec.criterion, spec.sampler, spec.network.gamma) == ("nonlinear", "sbs", 2):
            taus.setdefault((spec.share, spec.passes), {})[spec.seed] = record.value("tau", "value")
    shown = []
    for passes in (3_000, 9_000, 27_000):
        one, three = taus["all", passes], taus["part", passes]
        gap = difference(three, one)
        cells = [spread(list(each.values())) for each in (one, three)]
        shown.append(f"| {passes:,} | {' | '.join(f'{each.mean:.3f} ± {each.sd:.3f}' for each in cells)} | "
                     f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] | {gap.n} |")
    assert "\n".join(shown) in README
