"""The space: golden counts and strings of NAS-Bench-201, and what must hold for any cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201

SPACE = nasbench201()
INDEX = st.integers(0, len(SPACE) - 1)


def test_the_official_order() -> None:
    assert len(SPACE) == 15_625
    known = {
        0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
        9: "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
        123: "|avg_pool_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
        9930: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    }
    for index, arch in known.items():
        assert SPACE.strings[index] == arch
        assert SPACE.index_of(arch) == index
    assert len(set(SPACE.strings)) == 15_625
    assert np.array_equal(SPACE.index(SPACE.codes), np.arange(15_625))


def test_the_counts_of_the_space() -> None:
    assert int((~SPACE.connected).sum()) == 341
    assert SPACE.live_id.max() + 1 == 9_445
    assert SPACE.function_id.max() + 1 == 7_810
    assert SPACE.training_id.max() + 1 == 5_260
    assert len(set(SPACE.unique_strings(consider_zero=True))) == 6_466
    assert len(set(SPACE.unique_strings(consider_zero=False))) == 12_751
    assert [len(SPACE.population(name)) for name in ("all", "connected", "distinct")] == [15_625, 15_284, 9_445]


def test_convolutions_on_the_richest_live_path() -> None:
    conv = np.isin(SPACE.codes, [SPACE.op("nor_conv_1x1"), SPACE.op("nor_conv_3x3")])
    none = SPACE.op("none")
    richest = np.zeros(len(SPACE), dtype=int)
    for path in SPACE.paths:
        steps = list(path)
        open_ = (SPACE.codes[:, steps] != none).all(axis=1)
        richest = np.maximum(richest, np.where(open_, conv[:, steps].sum(axis=1), 0))
    assert np.bincount(richest).tolist() == [1_983, 7_122, 5_520, 1_000]
    assert np.bincount(richest[SPACE.connected]).tolist() == [1_642, 7_122, 5_520, 1_000]


def test_coarser_equivalences_contain_finer_ones() -> None:
    for fine, coarse in ((SPACE.live_id, SPACE.function_id), (SPACE.live_id, SPACE.training_id)):
        pairs = np.unique(np.stack([fine, coarse], axis=1), axis=0)
        assert len(pairs) == fine.max() + 1
    assert len(np.unique(SPACE.training_id[~SPACE.connected])) == 1


@given(INDEX)
def test_parse_is_the_inverse_of_string(index: int) -> None:
    code = SPACE.codes[index]
    assert SPACE.parse(SPACE.string(code)) == tuple(code)
    assert SPACE.index_of(SPACE.strings[index]) == index


@given(INDEX, st.randoms(use_true_random=False))
def test_the_edges_of_a_node_may_stand_in_any_order(index: int, shuffler) -> None:  # type: ignore[no-untyped-def]
    nodes = []
    for node in SPACE.strings[index].split("+"):
        entries = node.strip("|").split("|")
        shuffler.shuffle(entries)
        nodes.append("|" + "|".join(entries) + "|")
    assert SPACE.index_of("+".join(nodes)) == index


@given(INDEX)
def test_live_edges_are_those_on_a_path_of_the_graph(index: int) -> None:
    code = SPACE.codes[index]
    open_paths = [path for path in SPACE.paths if (code[list(path)] != SPACE.op("none")).all()]
    on_path = {edge for path in open_paths for edge in path}
    assert SPACE.live[index].tolist() == [edge in on_path for edge in range(6)]
    assert SPACE.connected[index] == bool(open_paths)


@pytest.mark.parametrize("bad", [
    "", "|none~0|", "|none~0|+|none~0|none~1|", "|none~0|+|none~0|none~1|+|none~0|none~1|none~1|",
    "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|", "|none~0|+|none~0|none~2|+|none~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+|none~0|",
])
def test_what_is_no_architecture(bad: str) -> None:
    with pytest.raises(DataError, match="is not a nasbench201 architecture"):
        SPACE.parse(bad)


def test_an_unknown_population() -> None:
    with pytest.raises(UsageError, match="choose one of all, connected, distinct"):
        SPACE.population("most")
