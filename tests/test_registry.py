"""Selectors and registries: round trips, errors that help, and classes from files and from installed packages."""

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cost import Skeleton
from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from criteria import Context, Registry, criteria, partition
from criteria.controls import Oracle, Random
from criteria.counts import Flops, Nonlinear
from harness.testing import check_criterion

PACKAGE = Path(__file__).parent / "plugin_pkg"
PROXY = '''
from __future__ import annotations
from dataclasses import dataclass
from criteria import Context, Scorer, Scores

@dataclass(frozen=True)
class Pools(Scorer):
    """Average poolings of a cell."""
    sign: int = 1

    def score(self, ctx: Context) -> Scores:
        return Scores(self.sign * (ctx.space.codes == ctx.space.op("avg_pool_3x3")).sum(axis=1), "poolings")

class NoCriterion:
    pass
'''


class Thing(Protocol):
    def act(self) -> int: ...


@dataclass(frozen=True)
class Every:
    """Every kind of parameter. And a second sentence."""

    first: Literal["a", "b"] = "a"
    n: int = 1
    x: float = 0.5
    on: bool = False
    word: str = "w"
    many: tuple[float, ...] = ()
    maybe: int | None = None
    inner: Thing | None = None
    several: tuple[Thing, ...] = ()

    def act(self) -> int:
        return self.n


def things() -> "Registry[Any]":
    registry: Registry[Any] = Registry("thing", "split_harness.nothing", Thing, "act")
    registry.register("every")(Every)
    return registry


# ---- selectors


@pytest.mark.parametrize(("selector", "instance", "text"), [
    ("nonlinear", Nonlinear(), "nonlinear"),
    ("nonlinear[]", Nonlinear(), "nonlinear"),
    (" nonlinear[ count = live ] ", Nonlinear(count="live"), "nonlinear[count=live]"),
    ("nonlinear[live]", Nonlinear(count="live"), "nonlinear[count=live]"),
    ("nonlinear[count=path]", Nonlinear(), "nonlinear"),
    ("flops[thresholds=11+28]", Flops(thresholds=(11.0, 28.0)), "flops[thresholds=11+28]"),
    ("flops[rule=equal,live=true]", Flops(live=True, rule="equal"), "flops[live=true,rule=equal]"),
    ("random[like=flops[rule=equal,live=true]]", Random(Flops(live=True, rule="equal")),
     "random[like=flops[live=true,rule=equal]]"),
    ("random[flops[rule=equal]]", Random(Flops(rule="equal")), "random[like=flops[rule=equal]]"),
    ("random[like=random[like=oracle]]", Random(Random(Oracle())), "random[like=random[like=oracle]]"),
])
def test_selectors(selector: str, instance: object, text: str) -> None:
    assert criteria.get(selector) == instance
    assert criteria.text(instance) == text


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.builds(Every, first=st.sampled_from(["a", "b"]), n=st.integers(), x=FLOATS, on=st.booleans(),
                   word=st.from_regex(r"[A-Za-z0-9_./:~-]+", fullmatch=True),
                   many=st.lists(FLOATS, max_size=3).map(tuple), maybe=st.none() | st.integers())


@given(LEAVES, st.none() | LEAVES, st.lists(LEAVES, max_size=2).map(tuple))
def test_any_instance_is_read_back_from_its_text(leaf: Every, inner: Every | None, several: tuple[Every, ...]) -> None:
    registry = things()
    outer = Every(leaf.first, leaf.n, leaf.x, leaf.on, leaf.word, leaf.many, leaf.maybe, inner, several)
    assert registry.get(registry.text(outer)) == outer
    assert registry.text(registry.get(registry.text(outer))) == registry.text(outer)


@pytest.mark.parametrize(("selector", "sentence"), [
    ("nonlinaer", "did you mean 'nonlinear'.*flops, .*none, nonlinear, "),
    ("qqq", "Unknown criterion 'qqq'; there are: .*flops"),
    ("", "is no selector"),
    ("nonlinear[count=live", "is no selector"),
    ("nonlinear[count=live]]", "is no selector"),
    ("nonlinear]count[", "is no selector"),
    ("nonlinear[count=live,,]", "a value is missing"),
    ("nonlinear[count=live,count=path]", "stands twice"),
    ("nonlinear[live,count=path]", "stands twice"),
    ("nonlinear[gamma=2]", "unknown parameter 'gamma'; its parameters are count, rule, sizes, thresholds"),
    ("none[3]", "unknown parameter '3'; it has none"),
    ("nonlinear[count=relu]", r"count must be path\|live\|total\|sum, not 'relu'"),
    ("flops[live=yes]", r"live must be true\|false, not 'yes'"),
    ("flops[thresholds=1+x]", "thresholds must be a number, not 'x'"),
    ("flops[thresholds=1+inf]", "thresholds must be a number, not 'inf'"),
    ("random[like=flopss]", "did you mean 'flops'"),
    ("../nonlinear", "Unknown criterion"),
])
def test_wrong_selectors_are_usage_errors_that_help(selector: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as refusal:
        criteria.get(selector)
    assert refusal.value.exit_code == 2
    assert "\n" not in str(refusal.value)


def test_a_parameter_without_default_must_be_given() -> None:
    @dataclass(frozen=True)
    class Needy:
        n: int

        def act(self) -> int:
            return self.n

    registry = things()
    registry.register("needy")(Needy)
    assert registry.get("needy[3]") == Needy(3)
    assert registry.describe("needy").parameters[0].default is None
    with pytest.raises(UsageError, match="parameter 'n' must be given"):
        registry.get("needy")


# ---- registering


def test_describe_and_origin_say_what_and_where() -> None:
    known = criteria.describe("nonlinear")
    assert known.summary.startswith("Nonlinear functions of a cell")
    assert [(p.name, p.default) for p in known.parameters] == [
        ("rule", "merge"), ("thresholds", ""), ("sizes", ""), ("count", "path")]
    assert "0.5647" in known.reference
    assert criteria.describe("oracle").needs == ("truth",)
    assert criteria.describe("none").fixed_k == 1
    file, _, line = criteria.origin("flops").rpartition(":")
    source = Path(file).read_text().splitlines()
    assert file.endswith("criteria/counts.py")
    assert source[int(line) - 1] == '@register("flops")'


def test_a_name_is_given_once_and_the_error_shows_both_origins() -> None:
    @dataclass(frozen=True)
    class Other(Every):
        pass

    registry = things()
    registry.register("every")(Every)  # the same class again, as a notebook does
    with pytest.raises(RunError, match=r"'every' is registered twice, by .*test_registry\.py:\d+ and by .*\.py:\d+;"):
        registry.register("every")(Other)


def test_what_cannot_be_registered() -> None:
    class Plain:
        def act(self) -> int:
            return 1

    @dataclass
    class Thawed:
        pass

    @dataclass(frozen=True)
    class Idle:
        needs: ClassVar[frozenset[str]] = frozenset()

    registry = things()
    for cls, reason in ((Plain, "frozen dataclass"), (Thawed, "frozen dataclass"), (Idle, "no method 'act'")):
        with pytest.raises(RunError, match=reason):
            registry.register("x")(cls)
    with pytest.raises(RunError, match="made of a-z"):
        registry.register("Every One")(Every)
    with pytest.raises(UsageError, match="no registered thing"):
        registry.text(Plain())


# ---- files


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_proxy.py").write_text(PROXY)
    monkeypatch.chdir(tmp_path)
    return "./my_proxy.py:Pools"


def test_a_criterion_from_a_file(proxy: str, tmp_path: Path) -> None:
    ctx = Context(nasbench201(), Skeleton())
    parts = partition(f"{proxy}[rule=value]", ctx, 7)
    assert parts.sizes == (4096, 6144, 3840, 1280, 240, 24, 1)
    assert criteria.get(proxy) == criteria.get(proxy)
    assert criteria.text(criteria.get(f"{proxy}[sign=-1]")) == f"{proxy}[sign=-1]"
    assert criteria.get(f"random[like={proxy}]") == Random(criteria.get(proxy))
    assert criteria.origin(proxy) == "my_proxy.py:6"
    check_criterion(proxy)
    old = criteria.get(proxy)
    (tmp_path / "my_proxy.py").write_text(PROXY.replace("self.sign *", "2 * self.sign *"))
    new = criteria.get(proxy)
    assert criteria.source_sha256(new) not in ("", criteria.source_sha256(old))
    assert partition(new, ctx, 3).scores.values.max() == 12  # type: ignore[union-attr]
    assert criteria.source_sha256(Nonlinear()) == ""
    assert criteria.source_sha256(Random(new)) == criteria.source_sha256(new)


@pytest.mark.parametrize(("selector", "kind", "sentence"), [
    ("./absent.py:Pools", UsageError, "cannot be read .No such file"),
    ("./my_proxy.py:Poole", UsageError, "no class 'Poole'; did you mean 'Pools'"),
    ("./my_proxy.py:NoCriterion", UsageError, "must be a frozen dataclass"),
    ("./my_proxy.py:Context", UsageError, "no method 'split'"),
    ("./my_proxy.py:Scorer", UsageError, "no method 'score'"),
    ("./my_proxy.py", UsageError, "own ones are given as ./file.py:Class"),
    ("./broken.py:Pools", RunError, "cannot be imported .ZeroDivisionError"),
    ("./quits.py:Pools", RunError, "cannot be imported .SystemExit"),
    ("./taken.py:Pools", RunError, "'flops' is registered twice"),
])
def test_bad_files(proxy: str, tmp_path: Path, selector: str, kind: type[Exception], sentence: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "quits.py").write_text("raise SystemExit(0)\n")
    taken = "from criteria import register\n@register('flops')\n@dataclass"
    (tmp_path / "taken.py").write_text(PROXY.replace("@dataclass", taken))
    for _ in range(2):  # a failed import leaves nothing behind
        with pytest.raises(kind, match=sentence):
            criteria.get(selector)
    assert criteria.origin("flops").partition(":")[0].endswith("criteria/counts.py")


# ---- installed packages


def install(folder: Path, name: str, points: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip leaves behind of a package's metadata, in a folder on the path."""
    info = folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [f"{point} = {value}" for point, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[split_harness.criteria]", *lines, ""]))
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/plugin_pkg as if installed; afterwards the registry has forgotten it."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    install(tmp_path / "site", project["name"], project["entry-points"]["split_harness.criteria"], monkeypatch)
    monkeypatch.syspath_prepend(str(PACKAGE))
    monkeypatch.setattr(criteria, "_classes", dict(criteria._classes))
    monkeypatch.setattr(criteria, "_heads", dict(criteria._heads))


@pytest.mark.usefixtures("acme")
def test_a_criterion_from_an_installed_package() -> None:
    sys.modules.pop("acme_nas.skips", None)
    assert "skips" in criteria.names()
    assert "acme_nas.skips" not in sys.modules  # a name costs no import
    assert criteria.text(criteria.get("skips[live=true]")) == "skips[live=true]"
    assert criteria.origin("skips").endswith("acme_nas/skips.py:8")
    assert criteria.describe("skips").summary == "Skip connections of a cell, on all edges or on live ones."
    assert criteria.names().count("skips") == 1
    with pytest.raises(UsageError, match="did you mean 'skips'"):
        criteria.get("skip")
    check_criterion("skips")
    check_criterion("random[like=skips[live=true]]")


def test_a_path_is_searched_for_packages_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    monkeypatch.setattr("criteria.registry.entry_points", lambda group: looks.append(group) or ())
    monkeypatch.syspath_prepend(str(tmp_path))
    assert criteria.names() == criteria.names()
    assert looks == ["split_harness.criteria"]


def test_packages_that_do_not_work_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad_nas.py").write_text("import absent_module_of_bad_nas\n")
    install(tmp_path, "bad-nas", {"bad": "bad_nas:Bad", "flat": "math:pi", "twice": "math:e"}, monkeypatch)
    install(tmp_path / "more", "more-nas", {"twice": "math:tau"}, monkeypatch)
    with pytest.raises(RunError, match=r"'bad' of the installed package bad-nas \(bad_nas:Bad\) cannot be imported"):
        criteria.get("bad")
    with pytest.raises(RunError, match=r"'flat' of the installed package bad-nas .* is no criterion: it is no class"):
        criteria.get("flat")
    with pytest.raises(RunError, match=r"'twice' is registered twice, by package bad-nas, .* and by package more-nas"):
        criteria.get("twice")
    assert criteria.get("nonlinear") == Nonlinear()


def test_a_package_cannot_take_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "bad-nas", {"flops": "bad_nas:Flops"}, monkeypatch)
    with pytest.raises(RunError, match=r"'flops' is registered twice, by .*counts\.py:\d+ and by package bad-nas"):
        criteria.names()
