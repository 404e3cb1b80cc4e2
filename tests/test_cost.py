"""Costs: the worked examples of the literature, and the published columns."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.benchmark import benchmark
from benchmarks.cost import Skeleton, convolutions, flops, params, supernet_params
from benchmarks.space import nasbench201

SPACE = nasbench201()
C3_AND_SKIP = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
ALL_C3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
PARAMS, FLOPS = params(SPACE), flops(SPACE)


@pytest.mark.parametrize(("arch", "convs", "n_params", "n_flops"), [
    (SPACE.strings[0], (2, 0), 129_306, 15_647_370),
    (C3_AND_SKIP, (0, 3), 802_426, 113_951_370),
    ("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|", (0, 2), 559_386, 78_561_930),
    (ALL_C3, (0, 6), 1_531_546, 220_119_690),
    ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", (0, 0), 73_306, 7_783_050),
])
def test_worked_examples(arch: str, convs: tuple[int, int], n_params: int, n_flops: int) -> None:
    i = SPACE.index_of(arch)
    assert (convolutions(SPACE, 1)[i], convolutions(SPACE, 3)[i]) == convs
    assert (PARAMS[i], FLOPS[i]) == (n_params, n_flops)


def test_the_other_datasets() -> None:
    nb = benchmark("nasbench201")
    assert flops(SPACE, nb.skeleton_for("cifar100"))[0] == 15_653_220
    assert flops(SPACE, nb.skeleton_for("ImageNet16-120"))[0] == 3_919_480
    assert params(SPACE, nb.skeleton_for("cifar100"))[0] == 129_306 + 5_850
    assert params(SPACE, nb.skeleton_for("ImageNet16-120"))[0] == 129_306 + 7_150


def test_there_are_28_costs_and_they_rank_alike() -> None:
    pairs = np.unique(np.stack([PARAMS, FLOPS], axis=1), axis=0)
    assert len(pairs) == 28
    assert (np.diff(pairs, axis=0) > 0).all()
    assert (FLOPS.min(), FLOPS.max(), int(np.median(FLOPS))) == (7_783_050, 220_119_690, 47_104_650)


def test_live_costs_are_those_of_the_cell_without_dead_edges() -> None:
    canonical = SPACE.index(SPACE.live_codes)
    assert np.array_equal(flops(SPACE, live_only=True), FLOPS[canonical])
    assert np.array_equal(params(SPACE, live_only=True), PARAMS[canonical])


@pytest.mark.parametrize(("channels", "size"), [(16, 1_685_562), (8, 421_666), (5, 164_845), (4, 105_558)])
def test_supernets(channels: int, size: int) -> None:
    assert supernet_params(SPACE, Skeleton(channels=channels)) == size


@pytest.mark.real_data
def test_the_published_columns(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "nasbench201.parquet")
    nb = benchmark("nasbench201")
    for prefix, dataset in (("c10", "cifar10"), ("c100", "cifar100"), ("in16", "ImageNet16-120")):
        skeleton = nb.skeleton_for(dataset)
        assert np.array_equal(params(SPACE, skeleton), np.rint(table[f"params_{prefix}"].to_numpy() * 1e6))
        assert np.array_equal(flops(SPACE, skeleton), np.rint(table[f"flops_{prefix}"].to_numpy() * 1e6))
