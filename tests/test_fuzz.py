"""Damaged sources: whatever is changed in a file, it is refused in one sentence, or no number it gives is wrong in silence."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.column import NewColumn
from benchmarks.convert import import_table
from benchmarks.convert.confinement import TRIAL, Numbers
from benchmarks.errors import DataError, HarnessError
from benchmarks.folder import data_home
from benchmarks.pickles.allowlist import FUNCTIONS
from benchmarks.pickles.container import read
from benchmarks.pickles.official import GENUINE, Reduction
from benchmarks.pickles.window import Refused
from benchmarks.table import Table, open_table, verify
from tests.command import started
from tests.layouts import LAYOUTS, OWN_FILE, SPACE, Facts, Layout, as_csv, as_parquet, columns
from tests.verdict import Said, judged, sentence

# ---- reading in this process

def confined_here(paths: Sequence[Path], sizes: Sequence[int]) -> Generator[Numbers | int, None, None]:
    """What the confined process says, from this process."""
    for path in paths:
        reduction = Reduction(SPACE.strings)
        try:
            content = read(path, FUNCTIONS, reduction.condense, lambda used: None)
            found = reduction.found(content.value)
        except Refused as refusal:
            raise DataError(f"{path} {refusal.reason}; {refusal.remedy or GENUINE}.") from None
        yield Numbers(path, found.kind, found.family, np.frombuffer(found.records, TRIAL), content.size, content.sha256)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Facts]:
    """Where an import in this process leaves its columns instead of writing them; official files are read here, too."""
    found: dict[str, Facts] = {}

    def keep(name: str, path: Path, new: Sequence[NewColumn], origins: object) -> Table:
        for column in new:
            column.check()
        found[name] = {(c.quantity, str(c.key), c.seed): c.values for c in new}
        return Table(name, path, (), (), "")

    monkeypatch.setattr("benchmarks.convert.importer.write_table", keep)
    monkeypatch.setattr("benchmarks.convert.confined.confined", confined_here)
    return found


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def facts_in(table: Table) -> Facts:
    values = table.read(table.columns).T
    return {(c.quantity, str(c.key), c.seed): column for c, column in zip(table.columns, values, strict=True)}


def said_here(layout: Layout, content: bytes, kept: dict[str, Facts]) -> Said:
    """What an import in this process makes of changed content."""
    home = emptied(data_home())
    source = layout.put(home.parent, content)
    kept.clear()
    try:
        if layout.file == OWN_FILE:
            return facts_in(verify("mine")), ()
        summary = import_table(source, "mine", **layout.key)
        return kept["mine"], summary.oddities
    except HarnessError as error:
        assert not kept
        assert layout.file == OWN_FILE or list(home.rglob("*")) == []
        return str(error)


# ---- the runs

def fuzzed(cases: int, say: Callable[[Layout, bytes], Said]) -> Counter[tuple[str, str, str]]:
    """How often what became of (layout, way): for each of so many changed sources; fails for one that is wrong in silence."""
    tally: Counter[tuple[str, str, str]] = Counter()

    @settings(max_examples=cases, derandomize=True, database=None, report_multiple_bugs=False,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(LAYOUTS)), st.integers(0, 2**32))
    def run(name: str, seed: int) -> None:
        layout = LAYOUTS[name]()
        content, change, way = layout.changed(Random(seed))
        try:
            outcome, wrong = judged(say(layout, content), layout, way)
        except BaseException as error:
            error.add_note(f"{name}, seed {seed}, {way}: {change}")
            raise
        tally[name, way, outcome] += 1
        for quantity in sorted(set(wrong)):
            tally[name, way, f"  changed {quantity}"] += 1

    run()
    return tally


def table_of(tally: Counter[tuple[str, str, str]]) -> str:
    return "\n".join(f"{name:15} {way:10} {outcome:20} {count:5}" for (name, way, outcome), count in sorted(tally.items()))


def whole(tally: Counter[tuple[str, str, str]]) -> int:
    return sum(count for (_, _, outcome), count in tally.items() if not outcome.startswith(" "))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_genuine_source_gives_its_facts(name: str, kept: dict[str, Facts]) -> None:
    layout = LAYOUTS[name]()
    assert judged(said_here(layout, layout.content, kept), layout, "bytes") == ("equal", [])


def test_changed_sources_are_refused_or_right(kept: dict[str, Facts]) -> None:
    tally = fuzzed(200, lambda layout, content: said_here(layout, content, kept))
    assert whole(tally) >= 150
    assert {outcome for _, _, outcome in tally} >= {"refused", "equal", "less", "changed"}


@pytest.mark.slow
def test_thousands_of_changed_sources(kept: dict[str, Facts]) -> None:
    tally = fuzzed(2_500, lambda layout, content: said_here(layout, content, kept))
    print(f"\n{table_of(tally)}")
    assert whole(tally) >= 2_000


def said_by_the_command(layout: Layout, content: bytes) -> Said:
    """What `harness data import` makes of changed content in a process of its own."""
    home = emptied(data_home())
    source = layout.put(home.parent, content)
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in layout.key.items())
    line = "data verify mine" if layout.file == OWN_FILE else f"data import {source} --as mine {options}"
    process = started(f"{line} --json")
    out, err = process.communicate(timeout=120)
    lines = [line for line in err.splitlines() if not re.fullmatch(r"read: \d+/\d+", line)]
    if process.returncode == 0:
        assert lines == []
        return facts_in(open_table("mine")), json.loads(out).get("oddities", ())
    assert (process.returncode in (2, 3), out, len(lines)) == (True, "", 1)
    assert layout.file == OWN_FILE or list(home.rglob("*")) == []
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


def test_changed_sources_by_the_command() -> None:
    assert whole(fuzzed(3, said_by_the_command)) == 3


@pytest.mark.slow
def test_a_hundred_changed_sources_by_the_command() -> None:
    tally = fuzzed(120, said_by_the_command)
    print(f"\n{table_of(tally)}")
    assert whole(tally) >= 100


# ---- what the runs found

def test_a_name_that_changed_in_half_of_a_parquet_file(kept: dict[str, Facts]) -> None:
    layout = LAYOUTS["parquet"]()
    places = [at for at in range(len(layout.content)) if layout.content.startswith(b"c10_test_200_v10", at)]
    assert len(places) == 2
    for at in places:
        said = said_here(layout, layout.content[:at] + b"c10_test_200_v11" + layout.content[at + 16:], kept)
        assert isinstance(said, str)
        assert "has two names for its column" in said


def test_numbers_outside_of_what_a_parquet_file_says(kept: dict[str, Facts]) -> None:
    table = {**columns(), "c10_test_loss_200_s777": [float(i) for i in range(1, 15)]}
    plain = as_parquet(table, compression="none", use_dictionary=False)
    wrong = plain.replace(np.arange(1.0, 15.0).tobytes(), np.arange(2.0, 16.0).tobytes())
    layout = LAYOUTS["parquet"]()
    assert isinstance(said_here(layout, plain, kept), tuple)
    said = said_here(layout, wrong, kept)
    assert isinstance(said, str)
    assert "'c10_test_loss_200_s777' goes from 1.0 to 14.0, which it does not" in said


@pytest.mark.parametrize("name", ["c10_test_200_s778", "c100_test_loss_12_s777", "in16_valid_200_v11_s111"])
def test_a_seed_that_no_official_file_has(name: str, kept: dict[str, Facts]) -> None:
    layout = LAYOUTS["CSV"]()
    said = said_here(layout, as_csv({"index": [1, 2], name: [1.0, 2.0]}), kept)
    assert isinstance(said, str)
    assert f"Column {name} is of seed {name.rpartition('s')[2]}" in said


def test_what_a_file_says_is_safe_to_print(kept: dict[str, Facts]) -> None:
    layout = LAYOUTS["JSON"]()
    for text in ("\x1b[2J", "\x0b", "\x85", "\ud800", "\u2028", "\n"):
        said = said_here(layout, json.dumps({f"|none{text}~0|": 1.0}).encode(), kept)
        assert isinstance(said, str)
        assert said.isprintable()
        assert sentence(said, layout)
