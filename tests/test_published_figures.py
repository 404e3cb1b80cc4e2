"""The figures and tables that the README shows follow from the published runs; each figure lies beside the CSV that says so."""

import re
from pathlib import Path

import numpy as np
import pytest
from command import harness
from wide_and_narrow import agreement

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
    kept = {row.method: f"{row.all_mean:.3f} ± {row.all_sd:.3f} | {row.tau_mean:.3f} ± {row.tau_sd:.3f}"
            for row in found.itertuples()}
    runs = collect([PUBLISHED / "digits201-controls", PUBLISHED / "digits201-factorial"]).records
    taus: dict[str, dict[int, float]] = {}
    alike = agreement(runs)
    for seed in range(5):
        frame = figure("widths").frame([record for record in runs if record.spec.seed == seed]).drop_duplicates("method")
        for method, tau in zip(frame["method"], frame["tau"], strict=True):
            taus.setdefault(method, {})[seed] = tau
    names = {"FS-NAS": "edge, sbs, part", "one-shot (`uniform`)": "one-shot (nonlinear), uniform, all"}
    names |= {f"`nonlinear`, {supernets}, `{sampler}`": f"nonlinear, {sampler}, {share}"
              for supernets, share in (("1 supernet", "all"), ("3 supernets", "part"))
              for sampler in ("balanced", "sbs", "uniform") if (share, sampler) != ("all", "uniform")}
    parts = {name: alike[{"e": "edge"}.get(method[0], "nonlinear"), method.rpartition(" ")[2], method.split(", ")[-2]]
             for name, method in names.items()}
    one_shot = taus[names["one-shot (`uniform`)"]]
    for name, method in names.items():
        more = difference(taus[method], one_shot)
        shown = f"{more.mean:+.3f} [{more.low:+.3f}, {more.high:+.3f}] " if more.mean else ""
        pairs = [spread(list(each.values())).mean for each in parts[name]]
        assert f"| {name} | {kept[method]} | {shown}| {pairs[0]:.3f} / {pairs[1]:.3f} | {more.n} |" in README
    assert set(names.values()) == set(kept)
    said = " ".join(README.split())
    for name, criterion in (("FS-NAS", "edge"), ("`nonlinear`, 3 supernets, `sbs`", "nonlinear")):  # both inside the same parts
        inside = difference(parts[name][0], agreement(runs, criterion)["nonlinear", "all", "uniform"][0])
        assert f"{inside.mean:+.3f} [{inside.low:+.3f}, {inside.high:+.3f}]" in said


def test_the_budgets_of_the_readme() -> None:
    taus: dict[tuple[str, int], dict[int, float]] = {}
    for record in collect([PUBLISHED / "digits201-controls", PUBLISHED / "digits201-budget"]).records:
        spec = record.spec
        if (spec.criterion, spec.sampler, spec.network.gamma) == ("nonlinear", "sbs", 2):
            taus.setdefault((spec.share, spec.passes), {})[spec.seed] = record.value("tau", "value")
    gaps = {passes: {seed: taus["part", passes][seed] - taus["all", passes][seed] for seed in range(3)}
            for passes in (3_000, 9_000, 27_000)}
    early, late = difference(gaps[9_000], gaps[3_000]), difference(gaps[27_000], gaps[9_000])
    said = " ".join(README.split())
    assert f"narrows by {early.mean:.3f} [{early.low:.3f}, {early.high:.3f}] from 3,000 to 9,000 passes" in said
    assert f"by {late.mean:.3f} [{late.low:.3f}, {late.high:.3f}] from there to 27,000" in said
    shown = []
    for passes in (3_000, 9_000, 27_000):
        one, three = taus["all", passes], taus["part", passes]
        gap = difference(three, one)
        cells = [spread(list(each.values())) for each in (one, three)]
        shown.append(f"| {passes:,} | {' | '.join(f'{each.mean:.3f} ± {each.sd:.3f}' for each in cells)} | "
                     f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] | {gap.n} |")
    assert "\n".join(shown) in README
