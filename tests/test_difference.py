"""`harness data diff`: what two tables have in common, and where they are apart."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.column import N_ARCH, NewColumn
from benchmarks.convert import import_table
from benchmarks.convert.difference import diff
from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import table_path, write_table
from benchmarks.truth import TruthKey
from tests.command import harness

NATS = "nats/cifar10/test/200/full"
V10 = "v1_0/cifar10/test/200/full"


def write(name: str, *columns: tuple[str, str, str, NDArray[np.float64]], quantity: str = "accuracy") -> None:
    write_table(name, table_path(name), [NewColumn(n, TruthKey.parse(k), s, v, quantity) for n, k, s, v in columns], [])


def test_two_tables() -> None:
    values = np.random.default_rng(0).uniform(80, 90, N_ARCH)
    other = values.copy()
    other[[3, 9]] += (2.0, -1.0)
    other[20:30] = np.nan
    a777, a888 = values.copy(), values.copy()
    a888[:5] = np.nan
    write("a", ("x", NATS, "777", a777), ("y", NATS, "888", a888), ("z", V10, "mean", values))
    write("b", ("x", NATS, "777", other), ("w", "v1_1/cifar10/test/200/full", "mean", values))
    found = diff("a", "b")
    assert not found.same
    (one,) = found.comparisons
    assert (one.a, one.b, one.n, one.only_a, one.only_b) == (NATS, NATS, N_ARCH - 10, 10, 0)
    assert one.tau is not None
    assert 0.999 < one.tau < 1
    assert one.equal == N_ARCH - 12
    assert [(g.index, round(g.b - g.a, 6)) for g in one.largest] == [(3, 2.0), (9, -1.0)]
    assert one.largest[0].architecture == nasbench201().strings[3]
    # Trials: B lacks ten of seed 777 and all of seed 888; A lacks nothing.
    assert (one.missing_a, one.missing_b) == ((), (("777", 10), ("888", N_ARCH - 5)))
    assert (found.only_a, found.only_b) == ((V10,), ("v1_1/cifar10/test/200/full",))
    assert found.offers == ((f"a:{NATS}", "b:v1_1/cifar10/test/200/full"), (f"a:{V10}", f"b:{NATS}"),
                            (f"a:{V10}", "b:v1_1/cifar10/test/200/full"))


def test_a_table_and_itself_and_columns_that_are_no_truth() -> None:
    values = np.random.default_rng(0).uniform(0, 9, N_ARCH)
    write("a", ("l", NATS, "777", values), quantity="loss")
    write("b", ("other name", NATS, "777", values), quantity="loss")
    found = diff("a", "b")
    assert (found.same, found.comparisons, found.other_columns, found.other_equal) == (True, (), 1, 1)
    write("b", ("l", NATS, "777", values + 1), quantity="loss")
    assert (diff("a", "b").same, diff("a", "b").other_equal) == (False, 0)


def test_two_numbers_of_one_table_and_undefined_tau() -> None:
    values = np.full(N_ARCH, np.nan)
    values[:4] = [1.0, 2.0, 3.0, 4.0]
    write("a", ("up", NATS, "mean", values), ("down", V10, "mean", 5 - values))
    (one,) = diff("a:up", f"a:{V10}").comparisons
    assert (one.tau, one.n, one.equal, one.a, one.b) == (-1.0, 4, 0, NATS, V10)
    assert [g.index for g in one.largest] == [0, 3, 1, 2]
    write("b", ("flat", NATS, "mean", np.full(N_ARCH, 5.0)))
    assert diff("a:up", "b:flat").comparisons[0].tau is None
    assert not diff("a:up", "b:flat").same
    assert diff("a:up", "a:up").same


def test_what_cannot_be_compared() -> None:
    values = np.full(N_ARCH, 5.0)
    write("a", ("x", NATS, "mean", values))
    write("l", ("x_loss", NATS, "mean", values), quantity="loss")
    with pytest.raises(DataError, match="There is no table 'b'"):
        diff("a", "b")
    with pytest.raises(UsageError, match="write both as TABLE, or both as TABLE:KEY"):
        diff("a:x", "a")
    with pytest.raises(UsageError, match=r"Table 'a' has no 'y'"):
        diff("a:x", "a:y")
    with pytest.raises(UsageError, match="is no truth, for it holds loss"):
        diff("a:x", "l:x_loss")


def test_the_command() -> None:
    values = np.random.default_rng(0).uniform(80, 90, N_ARCH)
    write("a", ("x", NATS, "777", values))
    write("b", ("x", NATS, "777", values), ("v", V10, "mean", values))
    said = harness("data diff a b")
    assert said.code == 0, said.err
    for text in (f"{NATS}: tau 1.0000 on 15,625 architectures", f"only in b: {V10}", f"harness data diff a:{NATS} b:{V10}"):
        assert text in " ".join(said.out.split())
    assert harness("data diff a b --json").json["comparisons"][0]["tau"] == pytest.approx(1)
    assert harness("data diff a nope").code == 3
    assert harness(f"data diff {'c' * 300} a").code == 2
    assert harness("data diff a:x b").code == 2


@pytest.mark.real_data
def test_the_three_official_files_disagree_by_the_known_tau(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "t")
    (v10,) = diff("t:c10_test_200", "t:c10_test_200_v10").comparisons
    (v11,) = diff(f"t:{NATS}", "t:v1_1/cifar10/test/200/full").comparisons
    assert v10.tau == pytest.approx(0.9747, abs=5e-5)
    assert v11.tau == pytest.approx(0.9901, abs=5e-5)
    assert (v10.n, v11.n) == (N_ARCH, N_ARCH)
    # Wherever a file of 2020 has as many trials as NATS-Bench, the means are equal.
    assert 13_192 <= v11.equal < 13_250
