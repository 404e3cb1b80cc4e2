"""FS-NAS's split: one part for each operation on one edge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from benchmarks.cost import Skeleton
from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from criteria import Context, criteria, partition

CTX = Context(nasbench201(), Skeleton())


@pytest.mark.parametrize("edge", range(6))
def test_parts_are_the_operations_on_the_edge(edge: int) -> None:
    parts = partition(f"edge[edge={edge}]", CTX)
    assert parts.sizes == (3125,) * 5
    assert parts.label.tolist() == CTX.space.codes[:, edge].tolist()
    source, target = CTX.space.edges[edge]
    assert parts.names == tuple(f"{target}<-{source} {name}" for name in CTX.space.op_names)
    assert (parts.scores, parts.parents) == (None, None)


def test_the_default_is_the_edge_of_the_authors() -> None:
    assert partition("edge", CTX).label.tolist() == CTX.space.codes[:, 0].tolist()
    assert criteria.text(criteria.get("edge[0]")) == "edge"
    with pytest.raises(UsageError, match="fixes its number of parts and cannot make 3; say --k 5"):
        partition("edge", CTX, 3)
    with pytest.raises(UsageError, match=r"edge must be 0\|1\|2\|3\|4\|5\|random, not '6'"):
        criteria.get("edge[6]")


def test_the_rule_labels_codes_it_has_not_seen() -> None:
    rule = partition("edge[edge=3]", replace(CTX, space=replace(CTX.space, codes=CTX.space.codes[:2000]))).rule
    assert rule is not None
    assert rule.reads == "codes"
    assert rule.label(CTX.space.codes).tolist() == CTX.space.codes[:, 3].tolist()


def test_a_random_edge_comes_from_the_seed_alone() -> None:
    drawn = [partition("edge[edge=random]", replace(CTX, seed=seed)) for seed in range(40)]
    assert drawn[0].label.tolist() == partition("edge[edge=random]", CTX).label.tolist()
    assert {parts.names[0].split()[0] for parts in drawn} == {"1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"}


@pytest.mark.real_data
def test_what_each_edge_explains(shared_data: Path) -> None:
    """metrics.md, B.5.2: the share of the variance of accuracy ranks between the operations of each edge, NATS truths."""
    import pyarrow.parquet as pq

    published = {"c10_test_200": (.198, .080, .022, .199, .063, .153), "c100_test_200": (.197, .076, .023, .191, .065, .155),
                 "in16_test_200": (.178, .067, .020, .221, .054, .145)}
    columns = pq.read_table(shared_data / "nasbench201.parquet", columns=list(published))
    for name, expected in published.items():
        rank = rankdata(columns.column(name).to_numpy())
        found = []
        for edge in range(6):
            parts = partition(f"edge[edge={edge}]", CTX)
            means = np.array([rank[parts.members(part)].mean() for part in range(5)])
            found.append(means.var() / rank.var())
        assert found == pytest.approx(expected, abs=5e-4)
        if name == "c10_test_200":
            assert all(f"{share:.3f}" in criteria.describe("edge").reference for share in expected)
