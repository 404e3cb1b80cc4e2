"""The report's page in a real browser: it loads and asks the network for nothing, sorts, filters, opens, and can be read by all.

Needs Chromium, its driver, selenium (`pip install '.[browser]'`) and the axe.min.js of npm's axe-core, named by HARNESS_AXE;
.ci/run installs them. Without them these tests are skipped, but not in CI.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import harness
from records import SOURCES, finished

from benchmarks.errors import printable
from harness.figures.gallery import FIGURES
from harness.runs.spec import Network, Recipe, RunSpec

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[1]
DESKTOP, PHONE = 1280, 390
PAPER = 688  # an A4 page between its margins, in CSS pixels
HOSTILE = "\"'><img src=x onerror=alert(1)>{{ 7*7 }}<script>document.title='run'\x1b\u202e"
SHOWN = printable(HOSTILE)


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    named = os.environ.get("HARNESS_AXE", "")
    if not named or not Path(named).is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs axe-core: set HARNESS_AXE to its axe.min.js")
    return Path(named).read_text()


class Browser:
    """A headless Chromium whose every request and message is kept."""

    def __init__(self) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(300)  # axe looks at each of a hundred thousand elements

    def open(self, page: Path, width: int = DESKTOP, scheme: str = "light", media: str = "screen") -> "Browser":
        self.driver.get("about:blank")
        self.messages(), self.requests()
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE})
        self.driver.get(page.as_uri())
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def messages(self) -> list[str]:
        """What the console was told since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses asked for since the last time."""
        found = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [each["params"]["request"]["url"] for each in found if each["method"] == "Network.requestWillBeSent"]

    def columns(self, head: str, table: int = 0) -> list[str]:
        """The texts of a column of the rows that are shown."""
        return list(self.run("""
            const table = document.querySelectorAll(".table table")[arguments[1]];
            const at = [...table.tHead.rows[0].cells].findIndex((each) => each.textContent.trim() === arguments[0]);
            return [...table.tBodies].filter((each) => !each.hidden).map((each) => each.rows[0].cells[at].textContent.trim());
            """, head, table))

    def press(self, selector: str, text: str, key: str | None = None) -> None:
        """Click the element with that text, or press a key on it."""
        from selenium.webdriver.common.by import By

        element = next(each for each in self.driver.find_elements(By.CSS_SELECTOR, selector) if each.text.strip() == text)
        element.send_keys(key) if key else element.click()

    def choose(self, name: str, value: str) -> None:
        """Choose a filter as a person does."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.select import Select

        Select(self.driver.find_element(By.NAME, name)).select_by_visible_text(value)

    def sort_of(self, head: str) -> str | None:
        """The aria-sort of a column of the first table."""
        found: str | None = self.run("""return [...document.querySelectorAll(".table thead th")]
            .find((each) => each.textContent.trim() === arguments[0]).getAttribute("aria-sort")""", head)
        return found

    def shown(self) -> str:
        return str(self.run("return document.querySelector('.filters output').textContent"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    try:
        import selenium  # noqa: F401
    except ImportError:
        lacking.append("selenium")
    if lacking:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"needs {', '.join(lacking)}")
    found = Browser()
    yield found
    found.driver.quit()


def made(home: Path | str, folder: Path) -> Path:
    """The page of runs, made where no truth is but the one that comes with the harness."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA", str(folder / "data"))
        return Path(harness(f"report '{home}' --html --out '{folder}/report' --json").json["page"])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all published runs, as a fresh clone makes it."""
    return made(ROOT / "results" / "published", tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of runs on two benchmarks, in three tables, one run with a parent and an undefined tau-b, one with curves and a
    hostile name."""
    folder = tmp_path_factory.mktemp("small")
    for gamma, seed in product((1, 2, 4), range(3)):
        finished(folder / "runs", 0.3 + 0.1 * gamma + 0.01 * seed, seed=seed, network=Network(gamma=gamma))
    parent = RunSpec(criterion="none", k=1, sampler="uniform", recipe=Recipe(passes=100))
    finished(folder / "runs", None, criterion="flops", k=2, passes=500, parent=parent, sources={**SOURCES, "parent": ""})
    finished(folder / "runs", 0.9, criterion="oracle", passes=1200)
    finished(folder / "runs", 0.5, benchmark="nasbench201", dataset="cifar10", truth="nats/cifar10/test/200/full")
    hostile = finished(folder / "runs", 0.1, criterion=HOSTILE)
    with_curves(hostile)
    hostile.rename(hostile.parent / HOSTILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.plates.FIGURES", {name: FIGURES[name] for name in ("exposure", "training")})
        return made(folder / "runs", folder)


def with_curves(run: Path) -> None:
    """Give a run the curves of a training of 30 epochs."""
    from safetensors.numpy import save_file

    loss = np.linspace(20, 5, 30)
    for supernet in range(2):
        save_file({"curve.sums": np.stack([loss + supernet, 10 - loss / 4], 1), "curve.passes": np.full((30, 3), 4)},
                  run / f"training-{supernet}.safetensors")


def pages(index: Path) -> list[Path]:
    """The index, and of the pages of runs those that differ most."""
    runs = sorted(index.parent.glob("runs/*.html"), key=lambda path: path.stat().st_size)
    return [index, runs[0], runs[-1]]


# ---- it loads


@pytest.mark.parametrize("name", ["published", "small"])
def test_pages_load_without_a_message_and_ask_for_nothing(browser: Browser, name: str, request: pytest.FixtureRequest) -> None:
    for page in pages(request.getfixturevalue(name)):
        browser.open(page)
        assert browser.messages() == []
        assert {url.partition(":")[0] for url in browser.requests()} <= {"file", "data"}
        assert browser.run("return document.readyState") == "complete"


def test_the_policy_stops_what_would_be_asked(browser: Browser, small: Path) -> None:
    """Even a script or an image that got into the page would not reach anyone."""
    browser.open(small)
    browser.run("""const [image, script] = ["img", "script"].map((name) => document.createElement(name));
        [image.src, script.textContent] = ["http://127.0.0.1:9/x.png", "document.title = 'run'"];
        document.body.append(image, script)""")
    assert browser.driver.title != "run"
    assert any("Content Security Policy" in message for message in browser.messages())


def test_names_are_text(browser: Browser, small: Path) -> None:
    browser.open(small)
    assert SHOWN in browser.columns("criterion")
    assert browser.driver.title.startswith("Report of")
    browser.press(".open", SHOWN)
    browser.press(f"tbody[data-criterion='{browser.run('return CSS.escape(arguments[0])', SHOWN)}'] .seed a", "seed 0")
    assert "<script>" in browser.driver.title
    assert browser.run("return document.querySelectorAll('img, iframe, object').length") == 0
    assert browser.run("return document.querySelector('h1').textContent") == browser.driver.title
    assert browser.run("return document.querySelectorAll('.curves polyline').length") == 4
    assert browser.messages() == []


# ---- it sorts, filters and opens


def test_columns_sort_by_click_and_by_keyboard(browser: Browser, small: Path) -> None:
    browser.open(small)
    table = next(i for i in range(3) if len(browser.columns("tau-b", i)) > 3)
    sorted_by = """return [...document.querySelectorAll(".table")[arguments[0]].querySelectorAll("[aria-sort]")]
        .map((each) => [each.textContent.trim(), each.getAttribute("aria-sort")])"""
    assert browser.run(sorted_by, table) == []
    heads = f"#{browser.run('return document.querySelectorAll(`.table`)[arguments[0]].id', table)} thead button"
    before = browser.columns("tau-b", table)
    browser.press(heads, "tau-b")
    falling = browser.columns("tau-b", table)
    numbers = [float(text.split()[0]) for text in falling[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    assert falling[-1] == "\N{EN DASH}"
    assert sorted(falling) == sorted(before)
    browser.press(heads, "tau-b", "\ue007")
    assert [float(text.split()[0]) for text in browser.columns("tau-b", table)[:-1]] == numbers[::-1]
    assert browser.columns("tau-b", table)[-1] == "\N{EN DASH}"
    browser.press(heads, "criterion", " ")
    names = browser.columns("criterion", table)
    assert names == sorted(names, key=str.lower)
    assert browser.run(sorted_by, table) == [["criterion", "ascending"]]


def test_what_has_no_text_stands_last_in_both_directions(browser: Browser, small: Path) -> None:
    browser.open(small)
    table = next(i for i in range(3) if len(browser.columns("tau-b", i)) > 3)
    heads = f"#{browser.run('return document.querySelectorAll(`.table`)[arguments[0]].id', table)} thead button"
    for _ in range(2):
        browser.press(heads, "parent.criterion")
        found = browser.columns("parent.criterion", table)
        assert found == ["none", *["\N{EN DASH}"] * (len(found) - 1)]


def test_filters_hide_rows_tables_and_datasets(browser: Browser, small: Path) -> None:
    browser.open(small)
    assert browser.shown() == "13 runs"
    visible = "return [...document.querySelectorAll(arguments[0])].filter((each) => each.offsetParent).length"
    assert browser.run(visible, ".table") == 3
    browser.choose("criterion", "oracle")
    assert browser.shown().startswith("1 of 13 runs: criterion oracle")
    assert browser.shown().endswith("; a figure shows all runs of its table")
    assert (browser.run(visible, ".table"), browser.run(visible, ".dataset"), browser.run(visible, "tbody.row")) == (1, 1, 1)
    table, = browser.run("return [...document.querySelectorAll('.table:not([hidden])')].map((each) => each.id)")
    figures = browser.run("return [...document.querySelectorAll('figure')].map((each) => [each.dataset.table, !each.hidden])")
    assert figures
    assert all(shown == (owner == table) for owner, shown in figures)
    links = browser.run("""return [...document.querySelectorAll("nav a")].map(
        (each) => [each.offsetParent !== null, document.querySelector(each.hash).offsetParent !== null])""")
    assert all(link == target for link, target in links)
    assert {link for link, _ in links} == {True, False}
    browser.choose("benchmark", "nasbench201")
    assert browser.shown().startswith("0 of 13 runs")
    browser.press(".filters button", "Show all")
    assert browser.shown() == "13 runs"
    browser.choose("k", "2")
    assert browser.shown().startswith("1 of 13 runs: k 2")
    assert browser.run(visible, "tbody.row") == 1


def test_rows_open_to_their_seeds_and_numbers_lead_to_their_runs(browser: Browser, small: Path) -> None:
    browser.open(small)
    seeds = "return [...document.querySelectorAll('tr.seed')].filter((each) => each.offsetParent).length"
    assert browser.run(seeds) == 0
    row = "return [...document.querySelectorAll('.open')].find((each) => each.closest('tbody').dataset.runs === '3')"
    button = browser.run(row)
    button.send_keys("\ue007")
    assert button.get_attribute("aria-expanded") == "true"
    assert browser.run(seeds) in (3, 4)  # and the difference to the best row
    number = browser.run("return [...document.querySelectorAll('tr.seed td a')].find((each) => each.offsetParent"
                         " && each.textContent.startsWith('0.'))")
    text = number.text
    number.click()
    assert text in browser.run("return document.querySelector('.lede').textContent")
    assert browser.run("return document.querySelector('h1').textContent").startswith("nonlinear-k3-digits201")
    browser.driver.back()
    button = browser.run(row)
    before = button.get_attribute("aria-expanded")
    button.click()
    assert {before, button.get_attribute("aria-expanded")} == {"false", "true"}


def test_without_scripts_all_seeds_are_shown(browser: Browser, small: Path) -> None:
    try:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.open(small)
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        assert browser.run("return [...document.querySelectorAll('tr.seed a')].every((each) => each.offsetParent)")
        assert not browser.run("return document.querySelector('.filters').offsetParent")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


# ---- it can be read


@pytest.mark.parametrize(("width", "scheme"), list(product((DESKTOP, PHONE), ("light", "dark"))))
@pytest.mark.parametrize("name", ["published", "small"])
def test_axe_finds_nothing(browser: Browser, axe: str, name: str, width: int, scheme: str,
                           request: pytest.FixtureRequest) -> None:
    for page in pages(request.getfixturevalue(name)):
        browser.open(page, width, scheme)
        browser.run("document.querySelectorAll('.open').forEach((each, i) => i < 2 && each.click())")
        browser.run(axe)
        found = browser.driver.execute_async_script(
            "axe.run(document).then((found) => arguments[0](found.violations.map("
            "(each) => [each.id, each.help, each.nodes.slice(0, 3).map((node) => node.html + node.failureSummary)])))")
        assert found == [], page.name


@pytest.mark.parametrize("name", ["published", "small"])
def test_nothing_is_wider_than_a_telephone(browser: Browser, name: str, request: pytest.FixtureRequest) -> None:
    for page in pages(request.getfixturevalue(name)):
        browser.open(page, PHONE)
        assert browser.run("return document.documentElement.scrollWidth") == PHONE
        outside = browser.run("""return [...document.querySelectorAll("body *")]
            .filter((each) => !each.closest(".scroll, pre, svg") && each.getBoundingClientRect().right > innerWidth + 0.5)
            .map((each) => each.outerHTML.slice(0, 200))""")
        assert outside == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("name", ["published", "small"])
def test_what_was_measured_is_in_sight_and_the_names_stay_there(browser: Browser, name: str, width: int,
                                                                request: pytest.FixtureRequest) -> None:
    browser.open(request.getfixturevalue(name), width)
    for name, left, right, end, kept in browser.run("""return [...document.querySelectorAll(".scroll")].map((each) => {
            const [name, tau] = each.querySelectorAll("thead th"), box = tau.getBoundingClientRect();
            const edges = [tau.textContent, box.left, box.right, each.getBoundingClientRect().right];
            each.scrollLeft = 1e4;
            const first = each.querySelector("tbody th").getBoundingClientRect();
            const start = each.getBoundingClientRect().left;
            return [...edges, first.left === start && name.getBoundingClientRect().left === start];
            })"""):
        assert name == "tau-b"
        assert left < right <= end
        assert kept


@pytest.mark.parametrize(("width", "media", "shown"), [
    (DESKTOP, "screen", False), (PHONE, "screen", True), (PAPER, "print", True)])
def test_settings_are_said_once(browser: Browser, small: Path, width: int, media: str, shown: bool) -> None:
    """In columns, or below the names where there is no room for them; there, too, no two rows are alike."""
    browser.open(small, width, media=media)
    found = browser.run("""return [...document.querySelectorAll(".table")].map((table) => [
        [...table.querySelectorAll(".set")].filter((each) => each.getClientRects().length).length,
        [...table.querySelectorAll("tbody tr:first-child th")].map((each) => each.textContent.trim() + (
            getComputedStyle(each, "::after").content === "none" ? "" : each.dataset.what))])""")
    for columns, names in found:
        if len(names) > 1:
            assert (columns == 0) == shown
            assert (len(set(names)) == len(names)) == shown


def test_a_long_name_begins_beside_its_marker(browser: Browser, small: Path) -> None:
    for width in (DESKTOP, PHONE):
        browser.open(small, width)
        assert browser.run("""return [...document.querySelectorAll(".open")].every((each) => {
            const line = each.firstChild.getClientRects()[0].top - each.getBoundingClientRect().top;
            return getComputedStyle(each, "::before").display === "block" && line < 4;})""")


def test_figures_are_drawn_and_described(browser: Browser, published: Path) -> None:
    for width, kind in ((DESKTOP, "wide"), (PHONE, "narrow")):
        browser.open(published, width)
        found = browser.run("""return [...document.querySelectorAll("figure svg")].filter((each) => each.clientHeight)
            .map((each) => [each.parentElement.className, each.clientWidth, each.getAttribute("role"),
                            each.getAttribute("aria-label").length])""")
        assert len(found) >= 4
        for name, drawn, role, words in found:
            assert (name, role) == (f"card {kind}", "img")
            assert drawn > 300
            assert words > 40


@pytest.mark.parametrize("name", ["published", "small"])
def test_paper_loses_no_column(browser: Browser, name: str, request: pytest.FixtureRequest) -> None:
    for page in pages(request.getfixturevalue(name)):
        browser.open(page, PAPER, media="print")
        wider = browser.run("""return [...document.querySelectorAll(".scroll")].map((each) => [
            each.clientWidth, each.scrollWidth, each.querySelector("table").offsetWidth, each.getAttribute("aria-label")])
            .filter(([room, inner, table]) => Math.max(inner, table) > room)""")
        assert wider == []
        assert browser.run("return document.documentElement.scrollWidth") <= PAPER


def test_it_prints(browser: Browser, published: Path) -> None:
    browser.open(published)
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert len(printed["data"]) > 50_000


# ---- it is quick


def test_five_hundred_runs_open_and_sort_at_once(browser: Browser, published: Path,
                                                 tmp_path_factory: pytest.TempPathFactory) -> None:
    """Under 2 s to open, with the figures of the published runs, under 100 ms to sort, and without figures under 5 MB; the best
    of three counts, as others use the machine, too."""
    folder = tmp_path_factory.mktemp("many")
    chosen = list(product((1, 2, 4), (2, 3, 4, 5), ("sbs", "uniform", "balanced"), ("part", "all"), range(7)))[:500]
    for i, (gamma, k, sampler, share, seed) in enumerate(chosen):
        finished(folder / "runs", (i * 37 % 101) / 101, seed=seed, k=k, sampler=sampler, share=share,
                 network=Network(gamma=gamma))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.plates.FIGURES", {})
        page = made(folder / "runs", folder)
    assert page.stat().st_size < 5e6
    figures = re.findall(r"<figure.*?</figure>", re.sub(' data-table="[^"]*"', "", published.read_text()), re.DOTALL)
    assert len(figures) > 20
    page.write_text(page.read_text().replace("</main>", "".join(figures) + "</main>"))
    took, sorting = [], []
    for _ in range(3):
        took.append(browser.open(page).run("return performance.getEntriesByType('navigation')[0].loadEventEnd"))
    assert browser.shown() == "500 runs"
    assert min(took) < 2000
    for _ in range(3):
        sorting.append(browser.run("""
            const head = [...document.querySelectorAll("thead button")].find((each) => each.textContent === "tau-b");
            const start = performance.now();
            head.click();
            document.body.offsetHeight;
            return performance.now() - start"""))
    assert min(sorting) < 100
    assert browser.sort_of("tau-b") == "descending"
