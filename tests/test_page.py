"""The report's page as text: that it is well made, alone, and says what the runs say. test_browser.py opens it."""

import json
import re
import tomllib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest
from command import harness
from records import SOURCES, finished, measures

from benchmarks.errors import Absent, DataError, UsageError, printable
from harness.figures.gallery import FIGURES
from harness.figures.kind import Kind
from harness.report.page.drawing import inlined
from harness.report.page.sheet import sheet, toml
from harness.report.summary import MISSING
from harness.runs.collection import Record, collect
from harness.runs.spec import Estimation, Network, RunSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HOSTILE = "\"'><img src=x onerror=alert(1)>{{ 7*7 }}<script>alert(1)\x1b[31m\x07\u202e"
SHOWN = printable(HOSTILE)
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Tags with their attributes, and the text of each; `open` must be empty at the end of a well-formed page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.found if name == tag and attributes.items() <= found.items()]


def page(path: Path) -> Page:
    return Page(path.read_text())


@pytest.fixture(autouse=True)
def no_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.plates.FIGURES", {})


@pytest.fixture
def kinds(no_kinds: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Kind]:
    """One kind of figure of each fate, instead of all that there are."""
    monkeypatch.setattr("harness.report.plates.FIGURES", KINDS)
    return KINDS


def good(records: Sequence[Record]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({"x": [1.0, 2.0]})


def absent(records: Sequence[Record]) -> "pd.DataFrame":
    raise Absent("There is no table.")


def foreign(records: Sequence[Record]) -> "pd.DataFrame":
    raise UsageError("These runs have nothing of the kind.")


def damaged(records: Sequence[Record]) -> "pd.DataFrame":
    raise DataError("The file x<y is damaged.")


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    from harness.figures.sheet import sheet

    ax = sheet(columns, 1.0).subplots()
    ax.plot(frame["x"], frame["x"], "o")
    ax.set_title(HOSTILE)
    return ax.get_figure(root=True)  # type: ignore[return-value]


KINDS = {name: Kind(name, f"{name} & co", ("x",), frame, draw, lambda found: f"two points < {HOSTILE}")
         for name, frame in (("drawn", good), ("absent", absent), ("foreign", foreign), ("damaged", damaged))}


def written(home: Path) -> Path:
    """The folder of the page of runs."""
    return Path(harness(f"report '{home}' --html --json --out '{home}-report'").json["page"]).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a page of six runs: three seeds of one configuration, an undefined tau-b, another budget, a hostile name."""
    home = tmp_path_factory.mktemp("page") / "runs"
    for seed in range(3):
        finished(home, 0.5 + seed / 100, seed=seed)
    finished(home, None, network=Network(gamma=4))
    finished(home, 0.9, criterion="oracle", passes=1200)
    hostile = finished(home, 0.1, criterion=HOSTILE)
    hostile.rename(hostile.parent / HOSTILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.plates.FIGURES", KINDS)
        return written(home)


def test_pages_are_well_formed_and_alone(folder: Path) -> None:
    found = {path: page(path) for path in (folder / "index.html", *folder.glob("runs/*.html"))}
    assert len(found) == 7
    for path, made in found.items():
        assert made.open == []
        ids = [each["id"] for _, each in made.found if each.get("id")]
        assert len(ids) == len(set(ids))
        assert not any(name in each for _, each in made.found for name in ("src", "srcset", "onerror", "onclick"))
        assert not re.search(r"https?:|url\((?!#)", re.sub(r'xmlns(:\w+)?="[^"]*"', "", path.read_text()))
        for each in [*made.all("a"), *made.all("use"), *made.all("link")]:
            address = str(each.get("href"))
            if address.startswith("#"):
                assert any(other.get("id") == address[1:] for _, other in made.found), address
            elif not address.startswith("data:"):
                assert (path.parent / unquote(address)).is_file(), address
        assert all("scope" in each for each in made.all("th"))
        assert len(made.all("h1")) == len(made.all("main")) == len(made.all("title")) == 1
        for each in made.all("svg"):
            assert each["role"] == "img"
            assert each["aria-label"]


def test_only_the_script_of_the_page_may_run(folder: Path) -> None:
    for path in (folder / "index.html", *folder.glob("runs/*.html")):
        policy, = page(path).all("meta", **{"http-equiv": "Content-Security-Policy"})
        script, = re.findall(r"<script>(.*?)</script>", path.read_text(), re.DOTALL)
        assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in str(policy["content"])
        assert str(policy["content"]).startswith("default-src 'none'")


def test_names_are_text(folder: Path) -> None:
    made = page(folder / "index.html")
    assert SHOWN in made.text
    assert made.all("img") == []
    assert len(made.all("script")) == 1
    assert [each for each in made.all("tbody") if each["data-criterion"] == SHOWN]
    run, = (path for path in folder.glob("runs/*.html") if "script" in path.name)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", run.name)
    assert SHOWN in page(run).text
    assert SHOWN in isolated(folder / "index.html")
    assert page(run).all("bdi") != []
    assert len(page(run).all("script")) == 1


def isolated(path: Path) -> list[str]:
    """The texts whose direction is their own."""
    return [unescape(each) for each in re.findall("<bdi>(.*?)</bdi>", path.read_text())]


def test_no_text_orders_a_page_to_show_another_one(folder: Path) -> None:
    for path in (folder / "index.html", *folder.glob("runs/*.html")):
        assert all(each.isprintable() for each in re.split("[\n\N{NO-BREAK SPACE}]", path.read_text()))


def test_every_number_of_a_run_leads_to_its_page(folder: Path) -> None:
    made = page(folder / "index.html")
    addresses = Counter(str(each["href"]) for each in made.all("a") if str(each["href"]).startswith("runs/"))
    assert sorted(addresses) == sorted(f"runs/{path.name}" for path in folder.glob("runs/*"))
    assert set(addresses.values()) == {9}  # its seed, four costs, tau-b, top 10 %, regret@10 and the ceiling
    rows = [each for each in made.all("tbody") if each.get("data-runs")]
    assert sorted(str(each["data-runs"]) for each in rows) == ["1", "1", "1", "3"]
    assert {(each["data-benchmark"], each["data-k"]) for each in rows} == {("digits201", "3")}
    assert {str(each["data-v"]) for each in made.all("td") if each.get("data-v")} >= {"0.51", "0.9", "300.0"}
    assert "0.510 ± 0.010 (3)" in made.text


def test_a_page_of_a_run_says_all_about_it(tmp_path: Path) -> None:
    run = finished(tmp_path / "runs", 0.5, ("sample of 100", "top 150"), criterion="flops")
    curves(run)
    made = page(next((written(tmp_path / "runs") / "runs").iterdir()))
    for words in ("0.500", "sample of 100", "top 150", "of 0.800 that noise", "digits201/digits/test/60/full", SOURCES["images"],
                  run.name, run.name[-12:], "600", "supernet 1", 'criterion = "flops"'):
        assert words in made.text, words
    lines = [each["points"] for each in made.all("polyline")]
    assert len(lines) == 4
    assert lines[0] == "0.0,0.0 150.0,60.0 300.0,120.0"
    assert "at the end: supernet 1 1.000, supernet 2 1.000" in str(made.all("svg")[0]["aria-label"])


def test_measured_numbers_come_first_and_settings_are_said_below_names_too(folder: Path) -> None:
    made = page(folder / "index.html")
    heads = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", (folder / "index.html").read_text())
    names = [re.sub("<[^>]*>", "", head) for head in heads]
    assert names[:names.index("FLOPs") + 1] == ["criterion", "tau-b", "top 10 %", "regret@10", "ceiling of tau-b", "gamma",
                                                "supernets", "parameters", "passes", "FLOPs"]
    assert [each["data-what"] for each in made.all("th", scope="row") if "data-what" in each] == ["gamma 2", "gamma 2", "gamma 4"]


def test_the_difference_of_a_pair_is_told_from_what_is_corrected_for_all(tmp_path: Path) -> None:
    for gamma, values in ((1, (0.5, 0.52)), (2, (0.6, 0.64)), (4, (0.1, 0.3))):
        for seed, value in enumerate(values):
            finished(tmp_path / "runs", value, seed=seed, network=Network(gamma=gamma))
    said = page(written(tmp_path / "runs") / "index.html").text
    assert re.search(r"paired by seed: \+0\.110; 95 % interval of this pair alone \[-0\.017, \+0\.237\]; p = 0\.\d+, corrected "
                     r"for all 2 comparisons \(Holm\)\.", said)


def test_what_parents_spent_is_told_apart(tmp_path: Path) -> None:
    changed(finished(tmp_path / "runs", 0.5, passes=900), "metrics", lambda found: found["budget"].update(
        inherited={"passes": 300, "images": 9600, "flops": 4e8}))
    made = page(next((written(tmp_path / "runs") / "runs").iterdir()))
    assert "subnet passes900 = 600 of its own + 300 inherited" in made.text
    assert "FLOPs (a multiply-add is one)1 G = 600 M of its own + 400 M inherited" in made.text


def changed(run: Path, file: str, change: Callable[[dict[str, Any]], object]) -> None:
    path, = run.glob(f"{file}*.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def stage(**facts: Any) -> dict[str, Any]:
    return {"supernet-0": {"packages": {"torch": "2.0"}, **facts}}


def parts(**values: Any) -> dict[str, Any]:
    whole = {"within": 0.5, "across": None, "parts": [0.5, None], "sizes": [3, 4]}
    return {"all": {**measures(0.5), "decomposition": {**whole, **values}}}


@pytest.mark.parametrize(("file", "content"), [
    *(("provenance", content) for content in (
        stage(packages=[1]), stage(packages={"torch": 2}), stage(seconds="x"), stage(process_seconds=[]), stage(cores="<b>"),
        stage(peak_memory_mib="<b>"), stage(device={}), stage(commit=7), {"supernet-0": 7})),
    *(("metrics", {"populations": content}) for content in (
        parts(sizes=[{}]), parts(sizes=[-1]), parts(parts=3), parts(parts=["x"]), parts(within={}), parts(across="1"),
        {"all": {**measures(0.5), "spearman": {}}}, {"all": {**measures(0.5), "regret": {"10": {"mean": 1.0}, "1": 3}}}))])
def test_what_a_page_cannot_show_is_refused_where_it_is_read(file: str, content: dict[str, Any], tmp_path: Path) -> None:
    run = finished(tmp_path, 0.5)
    changed(run, file, lambda found: found.update(content))
    with pytest.raises(DataError, match=f"{file}.*is not what a run of this version writes"):
        collect([run])


def test_what_runs_write_and_wrote_is_shown(tmp_path: Path) -> None:
    run = finished(tmp_path, 0.5)
    changed(run, "provenance", lambda found: found.update(stage(seconds=5, cores=None, commit=None, packages={"torch": None})))
    changed(run, "metrics", lambda found: found.update(populations=parts()))
    made = sheet(collect([run]).records[0])
    assert made.stages == (("supernet-0", "5.0 s", MISSING, f"{MISSING}, None cores", MISSING, MISSING, MISSING, MISSING),)
    changed(run, "metrics", lambda found: found.update(populations=parts(parts=None, sizes=None)))
    assert sheet(collect([run]).records[0]).judged[0][5:7] == ("0.500", MISSING)


def test_no_page_leads_to_one_that_could_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = collect([finished(tmp_path / "runs", 0.5), finished(tmp_path / "runs", 0.6, seed=1)]).records
    made = {record.key: sheet(record) for record in records[:1]}
    monkeypatch.setattr("harness.report.page.page.sheet", lambda record: made[record.key])
    with pytest.raises(KeyError):
        written(tmp_path / "runs")
    assert not list(tmp_path.rglob("*.html"))


def test_damaged_curves_are_said_to_be(tmp_path: Path) -> None:
    (finished(tmp_path / "runs", 0.5) / "training-0.safetensors").write_bytes(b"{")
    made = sheet(collect([tmp_path / "runs"]).records[0])
    assert made.curves is None
    assert "damaged" in made.no_curves
    assert "No training curve" in sheet(collect([finished(tmp_path / "other", 0.5)]).records[0]).no_curves


def curves(run: Path) -> None:
    from safetensors.numpy import save_file

    for supernet in range(2):
        save_file({"curve.sums": np.array([[6.0, 1], [4, 1], [2, 2]]), "curve.passes": np.full((3, 2), 1)},
                  run / f"training-{supernet}.safetensors")


def test_a_run_judged_twice_has_two_pages(tmp_path: Path) -> None:
    first = finished(tmp_path / "runs", 0.5)
    second = finished(tmp_path / "again", 0.6, estimator="loss")
    next(second.glob("metrics-*")).rename(first / next(second.glob("metrics-*")).name)
    keys = {record.key for record in collect([first]).records}
    assert {path.name for path in (written(first) / "runs").iterdir()} == {f"{first.name}.{key}.html" for key in keys}
    assert len(keys) == 2


def test_a_spec_on_a_page_makes_the_run_again() -> None:
    parent = RunSpec(criterion="none", k=1, sampler="uniform")
    criterion = f"./{HOSTILE}\\\n\u00e9\x7f\xa0\U000e0001.py:X"
    spec = RunSpec(criterion=criterion, share="part", estimation=Estimation(images=7), parent=parent)
    said = toml(spec.as_dict())
    assert RunSpec.from_dict(tomllib.loads(said)) == spec
    assert printable(said) == said


# ---- figures


def test_figures_are_shown_or_said_to_be_missing(tmp_path: Path, kinds: dict[str, Kind]) -> None:
    finished(tmp_path / "runs", 0.5)
    finished(tmp_path / "runs", 0.5, benchmark="nasbench201", dataset="cifar10", truth="nats/cifar10/test/200/full")
    found = harness(f"report {tmp_path}/runs --html --out {tmp_path}/report --json").json["figures"]
    assert [(each["kind"], each["dataset"], bool(each["files"]), bool(each["why"])) for each in found] == [
        (kind, dataset, kind == "drawn", kind != "drawn") for dataset in ("digits201 digits", "nasbench201 cifar10")
        for kind in ("drawn", "absent", "damaged")]
    tables = sorted(path.stem.removeprefix("table-") for path in (tmp_path / "report").glob("table-*.csv"))
    assert sorted(path.name for path in (tmp_path / "report" / "figures").iterdir()) == [
        f"drawn-{table}.{kind}" for table in tables for kind in ("csv", "pdf", "png")]
    made = page(tmp_path / "report" / "index.html")
    assert len(made.all("svg")) == 4  # in two widths
    assert [each["data-table"] for each in made.all("figure")] == ["table-1", "table-2"]
    assert all(SHOWN in str(each["aria-label"]) for each in made.all("svg"))
    for words in ("Figure 1. Drawn & co.", "Figure 2.", "Import nasbench201 for these",
                  "harness data import FILE --as nasbench201", "harness data build digits201",
                  "'damaged' of digits201 digits is left out: The file x<y is damaged."):
        assert words in made.text, words
    assert "nothing of the kind" not in made.text


def test_drawings_on_one_page_do_not_touch_one_another(kinds: dict[str, Kind]) -> None:
    svg = kinds["drawn"].svg(good([]), 1)
    first, second = (inlined(svg, prefix, "words") for prefix in ("f1", "f2"))
    ids = [set(re.findall(r' id="([^"]*)"', str(each))) for each in (first, second)]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])
    for each, known in zip((first, second), ids, strict=True):
        assert set(re.findall(r"(?:url\(#|href=\"#)([^)\"]*)", str(each))) == known
        sheet, = re.findall("<style>(.*?)</style>", str(each))
        assert set(re.findall(r"\.([^{]*)\{", re.sub(r"\d\.\d", "", sheet))) >= set(re.findall(r' class="([^"]*)"', str(each)))
        assert "*" not in sheet
    assert len(first) < len(svg)
    assert str(inlined(svg, "f1", "words")) == str(first)
    assert SHOWN in Page(str(first)).text
    assert Page(str(first)).all("script") == []


def test_a_figure_of_any_name_can_be_shown(tmp_path: Path) -> None:
    curves(finished(tmp_path, 0.5, criterion=HOSTILE))
    kind = FIGURES["training"]
    svg = kind.svg(kind.frame(collect([tmp_path]).records), 1)
    made = str(inlined(svg, "f", "words"))
    assert Page(made).open == []
    assert all(each.isprintable() for each in re.split("[\n\N{NO-BREAK SPACE}]", made))


def test_points_of_a_cloud_share_a_group() -> None:
    groups = ("<g clip-path='url(#a)'><use/></g>" * 3 + "<g clip-path='url(#b)'><use/></g>" + "<g clip-path='url(#a)'><use/></g>"
              + "<g clip-path='url(#a)' opacity='.5'><use/></g>" * 2)
    made = inlined(f"<svg viewBox='0 0 3 2'><clipPath id='a'/><clipPath id='b'/><g>{groups}</g></svg>", "f", "words")
    assert re.sub(r'="[^"]*"', "", made).endswith(
        "<g><g clip-path><use /><use /><use /></g><g clip-path><use /></g><g clip-path><use /></g>"
        + "<g clip-path opacity><use /></g>" * 2 + "</g></svg>")


def test_a_drawing_cannot_leave_its_element() -> None:
    text = "</svg><script>alert(1)</script>"
    svg = f'<svg viewBox="0 0 3 2"><!-- <script>alert(1)</script> --><text id="a">{text.replace("<", "&lt;")}</text></svg>'
    made = Page(inlined(svg, "f", '"><script>'))
    assert [name for name, _ in made.found] == ["svg", "style", "text"]
    assert made.text == text
    assert made.found[0][1]["style"] == "aspect-ratio: 3 / 2"


def test_a_report_without_a_page_writes_its_figures(tmp_path: Path, kinds: dict[str, Kind]) -> None:
    finished(tmp_path / "runs", 0.5)
    answer = harness(f"report {tmp_path}/runs --out {tmp_path}/report")
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {".md", ".csv", ".tex", ""}
    assert len(list((tmp_path / "report" / "figures").iterdir())) == 3
    assert "1 figure in" in answer.out
    assert "Without figures of digits201 digits: damaged. The file x<y is damaged." in answer.out


def test_columns_are_sorted_by_numbers_and_not_by_their_texts(tmp_path: Path) -> None:
    finished(tmp_path / "runs", 0.25, network=Network(channels=32, gamma=2))
    finished(tmp_path / "runs", None, network=Network(channels=16, gamma=1), share="all")
    made = page(written(tmp_path / "runs") / "index.html")
    settings = {each.get("data-v") for each in made.all("td", **{"class": "set"})}
    assert settings == {"32.0", "16.0", "2.0", "1.0", None}  # a share has none, nor have the rows of seeds
    numbers = [each.get("data-v") for each in made.all("td", **{"class": "n"}) if "data-v" in each]
    assert numbers.count("0.25") == 1
    assert "nan" not in numbers
