"""Trees of operation groups: the cut solver, gradient matching's sizes, metric-driven trees, and all published masks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.cost import Skeleton
from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from criteria import Context, Partition, Scorer, Scores, criteria, partition, register, score
from criteria.mask import Mask, Masks
from criteria.published import DATASETS, LEAVES
from criteria.tree import Cut, bipartitions, closeness, cut_operations, divide, group_sizes, grow, parents
from harness.testing import check_criterion

CTX = Context(nasbench201(), Skeleton())
SPACE = CTX.space
OPS = (0, 1, 2, 3, 4)
UNBALANCED, BALANCED = group_sizes(5, balanced=False), group_sizes(5, balanced=True)


# ---- the solver


def test_published_example() -> None:
    """metrics.md, B.2: scores 0, .1, 1, .9, -.2 are cut between {C, D} and {A, B, E}, 5.9 apart."""
    assert cut_operations(closeness(np.array([0, .1, 1, .9, -.2])), UNBALANCED) == Cut((2, 3), (0, 1, 4), pytest.approx(-5.9))


def test_equal_similarities_cut_off_the_first_by_default() -> None:
    """One against four crosses four pairs, two against three six; of equal sums the first counts."""
    equal = np.full((5, 5), 0.5)
    assert cut_operations(equal, UNBALANCED) == Cut((0,), (1, 2, 3, 4), pytest.approx(2.0), degenerate=True)
    assert cut_operations(equal, BALANCED) == Cut((0, 1), (2, 3, 4), pytest.approx(3.0), degenerate=True)
    flat = cut_operations(closeness(np.full(5, 16.0)), UNBALANCED)
    assert (flat.first, flat.degenerate) == ((0,), True)


def test_undefined_similarities_are_degenerate() -> None:
    none = cut_operations(closeness(np.full(5, np.nan)), UNBALANCED)
    assert (none.first, none.degenerate, np.isnan(none.weight)) == ((0,), True, True)
    some = cut_operations(closeness(np.array([0, 1, 2, 3, np.nan])), UNBALANCED)
    assert some.degenerate


def test_two_operations_have_one_cut_and_no_choice() -> None:
    assert cut_operations(np.full((2, 2), 0.5), group_sizes(2, balanced=False)) == Cut((0,), (1,), 0.5)


@pytest.mark.parametrize(("similarity", "sizes", "sentence"), [
    (np.ones((2, 3)), (1,), r"must be \[n_op, n_op\], not \[2, 3\]"),
    (np.ones((5, 5)), (3,), "5 operations cannot be divided with 3 on the smaller side"),
    (np.ones((1, 1)), (0,), "1 operations cannot be divided"),
])
def test_what_cannot_be_cut(similarity: NDArray[np.float64], sizes: Sequence[int], sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        cut_operations(similarity, sizes)


@pytest.mark.parametrize("n_op", range(2, 8))
def test_bipartitions_are_each_there_once(n_op: int) -> None:
    ops = tuple(range(n_op))
    found = bipartitions(ops, group_sizes(n_op, balanced=False))
    assert len({frozenset(division) for division in found}) == len(found) == 2 ** (n_op - 1) - 1
    assert all(tuple(sorted(first + second)) == ops and len(first) <= len(second) for first, second in found)


def test_five_operations_have_fifteen_divisions_ten_of_them_balanced() -> None:
    assert (len(bipartitions(OPS, UNBALANCED)), len(bipartitions(OPS, BALANCED))) == (15, 10)
    assert bipartitions(OPS, UNBALANCED)[:2] == (((0,), (1, 2, 3, 4)), ((1,), (0, 2, 3, 4)))


SIMILARITIES = st.integers(2, 6).flatmap(lambda n: st.lists(st.integers(-9, 9), min_size=n * n, max_size=n * n).map(
    lambda numbers: np.triu(np.array(numbers, float).reshape(n, n), 1) + np.triu(np.array(numbers, float).reshape(n, n), 1).T))


@given(SIMILARITIES, st.booleans())
def test_a_cut_is_the_least_of_all(similarity: NDArray[np.float64], balanced: bool) -> None:
    n = len(similarity)
    cut = cut_operations(similarity, group_sizes(n, balanced))
    sums = [sum(similarity[i, j] for i, j in product(range(n), repeat=2) if sides[i] and not sides[j])
            for sides in product((False, True), repeat=n) if (sum(sides) == n // 2 if balanced else 0 < sum(sides) < n)]
    assert cut.weight == pytest.approx(min(sums))
    # what gradient matching minimises: the distances inside the groups are all distances less those across
    distance = 1 - similarity
    within = sum(distance[i, j] for group in (cut.first, cut.second) for i in group for j in group if i < j)
    across = len(cut.first) * len(cut.second) - cut.weight
    assert within + across == pytest.approx(distance[np.triu_indices(n, 1)].sum())


def test_metrics_may_be_vectors_and_noise_is_no_distance() -> None:
    points = np.array([[0, 0], [3, 4], [0, 0], [6, 8], [0, 1e-12]])
    assert closeness(points)[0].tolist() == [0, -5, 0, -10, 0]
    assert cut_operations(closeness(np.array([1e6, 1e6 + 1e-7, 1e6, 1e6, 1e6])), UNBALANCED).degenerate
    assert not cut_operations(closeness(np.array([1e-9, 2e-9, 1e-9, 1e-9, 1e-9])), UNBALANCED).degenerate


# ---- gradient matching, on similarities made up


def matching(mask: Mask, edge: int) -> Cut:
    """The balanced cut of similarities that depend on the node."""
    rng = np.random.default_rng([edge, *(op for ops in mask.allowed for op in ops)])
    ops = mask.allowed[edge]
    return divide(ops, np.corrcoef(rng.normal(size=(len(ops), 30))), balanced=True)


@pytest.mark.parametrize(("levels", "sizes"), [
    (1, [6250, 9375]), (2, [2500, 3750, 3750, 5625]), (3, [1000, 1500, 1500, 1500, 2250, 2250, 2250, 3375])])
def test_tree_sizes_of_gradient_matching(levels: int, sizes: list[int]) -> None:
    """fewshot.md, 5.3 and 5.6: each split keeps 2/5 or 3/5; two levels as published for this space, three for 8 supernets."""
    tree = grow(SPACE, range(6), levels, matching, choose=True)
    parts = tree.partition(SPACE, range(6))
    assert sorted(parts.sizes) == sizes
    for leaf in tree.leaves:
        assert sorted(map(len, leaf.allowed))[levels:] == [5] * (6 - levels)  # every cut on an edge of its own


def test_the_edge_with_the_largest_distance_is_split_and_a_degenerate_one_last() -> None:
    weights = {0: -1.0, 2: -3.0, 4: -2.0, 5: -9.0}

    def cut(mask: Mask, edge: int) -> Cut:
        return Cut((0, 1), (2, 3, 4), weights[edge], degenerate=edge == 5)

    def edges(tree_levels: int) -> list[int]:
        leaf = grow(SPACE, (0, 2, 4, 5), tree_levels, cut, choose=True, default=True).leaves[0]
        return [edge for edge, ops in enumerate(leaf.allowed) if len(ops) < 5]

    assert [edges(levels) for levels in (1, 2, 3, 4)] == [[2], [2, 4], [0, 2, 4], [0, 2, 4, 5]]


# ---- masks


def test_masks_as_text() -> None:
    mask = Mask.read("3/ns1p/n", SPACE)
    assert mask.allowed == ((3,), (0, 1, 2, 4), (0,), OPS, OPS, OPS)
    assert (mask.size, mask.text(SPACE, (0, 1, 2, 3))) == (500, "3/ns1p/n/ns13p")
    assert mask.holds(SPACE.codes).sum() == 500


def test_masks_must_not_share_cells() -> None:
    with pytest.raises(RunError, match="parts 0 and 2 share cells"):
        Masks(tuple(Mask.read(text, SPACE) for text in ("3/n", "1/n", "3p/ns")))


def test_cells_in_no_mask_are_in_no_part() -> None:
    label = Masks((Mask.read("3/3/3", SPACE), Mask.read("n", SPACE))).label(SPACE.codes)
    assert np.bincount(label + 1).tolist() == [15625 - 125 - 3125, 125, 3125]


def assert_a_tree(parts: Partition, edges: Sequence[int]) -> None:
    """Brothers differ on one edge, whose operations they share out, and their parent is both together."""
    assert isinstance(parts.rule, Masks)
    assert parts.n_unassigned == 0
    assert sum(mask.size for mask in parts.rule.masks) == 15625
    assert parts.sizes == tuple(mask.size for mask in parts.rule.masks)
    nodes = dict(enumerate(parts.rule.masks))
    assert parts.parents == parents(parts.k)
    for node, parent in enumerate(parts.parents[:-1]):
        if node % 2 == 0:
            pairs = list(zip(nodes[node].allowed, nodes[node + 1].allowed, strict=True))
            split = [edge for edge, (one, other) in enumerate(pairs) if one != other]
            assert len(split) == 1
            assert split[0] in edges
            assert not set(pairs[split[0]][0]) & set(pairs[split[0]][1])
            nodes[parent] = nodes[node].only(split[0], tuple(sorted(sum(pairs[split[0]], ()))))
    assert nodes[2 * parts.k - 2] == Mask.whole(SPACE)


# ---- metric-driven trees


def test_parameters_isolate_the_largest_operation_on_every_edge() -> None:
    parts = partition("metric_tree", CTX)
    assert parts.names == tuple("/".join(groups) for groups in product(("3", "ns1p"), repeat=3))
    assert parts.sizes == (125, 500, 500, 2000, 500, 2000, 2000, 8000)
    assert_a_tree(parts, (0, 1, 2))
    assert parts.rule is not None
    assert parts.rule.label(np.array([[3, 0, 3, 0, 0, 0]], np.uint8)).tolist() == [2]


def test_the_released_code_sees_the_parameters_of_edge_0_only() -> None:
    released, published = partition("metric_tree[mode=released]", CTX), partition("published_tree[metric=params]", CTX)
    assert released.label.tolist() == published.label.tolist()
    assert [name.replace("!", "") for name in released.names] == list(published.names)
    assert all(name.split("/")[0] in ("3", "ns1p") and name.count("!") == 2 for name in released.names)


@pytest.mark.parametrize(("selector", "k"), [
    ("metric_tree[edges=0+3+5]", 8), ("metric_tree[edges=5]", 2), ("metric_tree[edges=0+3+5,levels=2]", 4),
    ("metric_tree[edges=0+1+2+3+4+5,levels=3,order=score,metric=nonlinear[count=live]]", 8),
    ("metric_tree[edges=4+2,metric=flops[live=true],balanced=true]", 4), ("metric_tree[metric=random]", 8),
    ("metric_tree[edges=0+1+2+3+4+5,levels=2,metric=random,order=score,balanced=true]", 4),
    ("metric_tree[metric=ensemble[of=params+paths]]", 8)])
def test_trees_of_any_metric(selector: str, k: int) -> None:
    check_criterion(selector)
    assert criteria.get(selector).fixed_k == k
    parts = partition(selector, CTX)
    assert_a_tree(parts, range(6))
    if "balanced" in selector:
        assert all(len(ops) in (2, 3, 5) for mask in parts.rule.masks for ops in mask.allowed)  # type: ignore[union-attr]


@pytest.mark.parametrize("metric", ["hand_rule", "paths", "operations[op=none,live=true]"])
def test_order_score_cuts_where_the_metric_differs_most(metric: str) -> None:
    scores = score(metric, CTX).values
    weights = [cut_operations(closeness(np.array([scores[SPACE.codes[:, edge] == op].mean() for op in OPS])), UNBALANCED).weight
               for edge in range(6)]

    def edge(edges: str, order: str) -> int:
        leaf = partition(f"metric_tree[metric={metric},edges={edges},levels=1,order={order}]", CTX).rule.masks[0]  # type: ignore
        return next(edge for edge in range(6) if len(leaf.allowed[edge]) < 5)

    assert edge("2+0+1+3+4+5", "given") == 2
    assert weights[edge("2+0+1+3+4+5", "score")] == pytest.approx(min(weights))
    assert edge("2+1", "score") == (1 if weights[1] < weights[2] else 2)


@pytest.mark.parametrize(("selector", "sentence"), [
    ("metric_tree[edges=0+0]", r"different ones of 0\.\.5, not 0\+0"),
    ("metric_tree[edges=0+6]", r"different ones of 0\.\.5, not 0\+6"),
    ("metric_tree[edges=0+-1]", "different ones of"),
    ("metric_tree[levels=4]", r"levels must be 1\.\.3"),
    ("metric_tree[levels=0]", "levels must be"),
    ("metric_tree[metric=edge]", "metric 'edge' does not score architectures"),
    ("metric_tree[metric=random[like=flops]]", "say metric=random"),
])
def test_trees_that_cannot_be_grown(selector: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        partition(selector, CTX)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics that are there for one test."""
    monkeypatch.setattr(criteria, "_classes", dict(criteria._classes))
    monkeypatch.setattr(criteria, "_heads", dict(criteria._heads))

    @register("flat")
    @dataclass(frozen=True)
    class Flat(Scorer):
        """Says nothing of edges 1 and up, and everything of edge 0."""

        undefined: bool = False

        def score(self, ctx: Context) -> Scores:
            strong = np.isin(ctx.space.codes[:, 0], (2, 3))
            return Scores(np.where(strong, 1.0, np.nan) if self.undefined else strong, "strength")

    @register("supernet_params")
    @dataclass(frozen=True)
    class SupernetParams:
        """Parameters of a sub-supernet: every operation that it holds, counted once."""

        needs: ClassVar[frozenset[str]] = frozenset()
        fixed_k: ClassVar[int | None] = None
        seen: list[int] = field(default_factory=list, compare=False)

        def split(self, ctx: Context, k: int) -> Partition:
            raise UsageError("it is a metric for trees.")

        def score_masks(self, ctx: Context, masks: Sequence[Mask]) -> NDArray[np.float64]:
            self.seen.append(len(masks))
            each = [0, 0, ctx.skeleton.edge_params(1, True), ctx.skeleton.edge_params(3, True), 0]
            return np.array([float(sum(each[op] for ops in mask.allowed for op in ops)) for mask in masks])


@pytest.mark.usefixtures("metrics")
def test_a_cut_that_nothing_speaks_for_is_named() -> None:
    for metric in ("flat", "flat[undefined=true]"):
        sentence = (r"operations on edge (2|1)<-0 of .* cannot be told apart by the metric, so no cut is better than another; "
                    "choose another metric or other edges, or mode=released")
        with pytest.raises(UsageError, match=sentence):
            partition(f"metric_tree[metric={metric}]", CTX)
    assert partition("metric_tree[metric=flat,levels=1]", CTX).names == ("13/ns13p/ns13p", "nsp/ns13p/ns13p")
    released = partition("metric_tree[metric=flat,mode=released]", CTX)
    assert released.names[:2] == ("13/n!/n!", "13/n!/s13p!")
    regions = partition("metric_tree[metric=flat,mode=released,edges=1+2+3]", CTX)
    assert regions.sizes == partition("published_tree[metric=lr]", CTX).sizes


@pytest.mark.usefixtures("metrics")
def test_a_metric_of_masks_is_asked_directly_and_the_mean_over_cells_cuts_alike() -> None:
    tree = criteria.get("metric_tree[metric=supernet_params]")
    parts = partition(tree, CTX)
    assert parts.names == partition("metric_tree[metric=params]", CTX).names
    assert tree.metric.seen == [5] * 7  # type: ignore[attr-defined]


def test_random_trees_come_from_the_seed_alone() -> None:
    one, again = partition("metric_tree[metric=random]", CTX), partition("metric_tree[metric=random]", CTX)
    assert one.names == again.names
    assert len({partition("metric_tree[metric=random]", replace(CTX, seed=seed)).names for seed in range(20)}) == 20


# ---- published masks

# metrics.md, B.5.2: the 156 best cells in each leaf, and the best accuracy there.
BEST = """
cifar10 gm 9,31,33,33,10,30,0,10 94.29 94.37 94.34 94.13 94.05 94.30 93.31 94.09
cifar10 snip 0,0,0,12,5,18,30,91 92.52 93.48 93.48 94.01 93.84 94.02 94.25 94.37
cifar10 gn 0,0,0,12,8,15,30,91 92.52 93.48 93.48 94.01 93.87 94.02 94.25 94.37
cifar10 grasp 0,0,0,12,8,15,30,91 92.52 93.48 93.48 94.01 93.87 94.02 94.25 94.37
cifar10 jc 0,11,1,0,16,7,80,41 93.48 94.01 93.83 92.58 94.02 93.84 94.37 94.25
cifar10 sf 0,0,1,6,13,92,3,41 92.29 92.32 93.89 93.95 94.24 94.37 93.84 94.18
cifar10 ntk 16,7,22,92,2,16,1,0 94.02 93.84 94.29 94.37 93.79 94.01 93.83 93.20
cifar10 lr 0,0,1,6,1,20,15,113 92.29 92.32 93.89 93.95 93.78 94.18 94.24 94.37
cifar10 params 1,16,9,80,0,4,7,39 93.78 94.18 94.24 94.37 92.88 94.04 94.01 94.30
cifar10 rnd888 10,23,17,56,6,0,18,26 93.97 94.18 94.24 94.37 94.09 93.31 94.30 94.09
cifar100 gm 8,19,37,40,10,29,0,13 72.46 73.17 73.51 73.16 72.35 73.48 71.13 72.88
cifar100 gn 0,0,0,8,4,17,21,106 69.05 70.28 70.48 71.59 71.54 71.88 73.16 73.51
cifar100 snip 0,0,0,8,4,17,21,106 69.05 70.28 70.48 71.59 71.54 71.88 73.16 73.51
cifar100 jc 17,4,87,39,7,2,0,0 71.88 71.54 73.51 73.16 71.59 71.26 70.86 69.91
cifar100 ntk 0,21,87,39,1,8,0,0 71.04 71.88 73.51 73.16 71.23 71.59 70.86 69.91
cifar100 sf 0,0,0,1,20,99,0,36 67.63 68.20 71.02 71.23 72.76 73.51 71.04 72.18
cifar100 lr 0,0,0,1,0,15,20,120 67.63 68.20 71.02 71.23 70.73 72.18 72.76 73.51
cifar100 params 0,10,13,81,0,5,7,40 70.73 72.11 72.76 73.51 69.86 72.18 72.17 73.48
cifar100 rnd888 7,16,21,60,8,0,20,24 71.66 72.11 72.84 73.51 72.88 71.13 73.48 72.35
ImageNet16-120 gm 8,25,15,53,9,20,2,24 46.55 46.59 46.22 47.17 46.68 47.08 45.77 47.31
ImageNet16-120 gn 0,0,0,6,5,20,23,102 42.39 44.77 45.29 46.05 45.95 46.32 46.38 47.31
ImageNet16-120 jc 0,25,92,33,0,5,1,0 45.20 46.32 47.31 46.85 45.29 46.05 45.44 42.41
ImageNet16-120 ntk 82,33,34,1,0,0,0,6 47.31 46.85 47.17 45.57 44.77 42.41 45.29 46.05
ImageNet16-120 sf 0,0,0,0,10,110,0,36 40.07 39.98 45.02 44.65 46.85 47.31 45.20 47.17
ImageNet16-120 lr 0,0,0,0,0,11,10,135 40.07 39.98 45.02 44.65 44.65 47.17 46.85 47.31
ImageNet16-120 params 0,7,6,88,0,4,4,47 44.65 47.17 46.85 46.71 43.03 46.93 45.76 47.31
ImageNet16-120 rnd888 6,14,17,64,18,2,17,18 45.95 47.17 46.85 46.71 47.31 45.77 47.08 46.68
"""
# metrics.md, B.5.2: rank eta2 on the three data sets.
SEPARATION = {"gm": (.200, .168, .136), "gn": (.113, .128, .090), "jc": (.129, .252, .222), "ntk": (.232, .249, .202),
              "sf": (.083, .083, .087), "lr": (.046, .046, .056), "params": (.149, .127, .106), "rnd888": (.147, .126, .101)}


@cache
def truth(folder: Path, dataset: str) -> NDArray[np.float64]:
    import pyarrow.parquet as pq

    column = {"cifar10": "c10_test_200", "cifar100": "c100_test_200", "ImageNet16-120": "in16_test_200"}[dataset]
    return pq.read_table(folder / "nasbench201.parquet", columns=[column]).column(0).to_numpy()


def rank_eta2(parts: Partition, accuracy: NDArray[np.float64]) -> float:
    rank = rankdata(accuracy)
    means = np.bincount(parts.label, rank) / parts.sizes
    return float(np.average((means - rank.mean()) ** 2, weights=parts.sizes) / rank.var())


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("metric", LEAVES)
def test_published_masks_are_trees_that_partition_the_space(metric: str, dataset: str) -> None:
    assert_a_tree(partition(f"published_tree[metric={metric},dataset={dataset}]", CTX), (0, 1, 2))


@pytest.mark.parametrize(("metric", "sizes"), [
    ("gm", "125,500,500,2000,500,2000,2000,8000"), ("gn", "1000,1500,1500,2250,1500,2250,2250,3375"),
    ("grasp", "1000,1500,1500,2250,1500,2250,2250,3375"), ("snip", "1000,1500,1500,2250,1500,2250,2250,3375"),
    ("jc", "1000,1500,1500,2250,1500,2250,2250,3375"), ("ntk", "1000,1500,750,3000,1500,2250,2250,3375"),
    ("sf", "125,500,500,2000,1000,4000,1500,6000"), ("lr", "125,500,500,2000,500,2000,2000,8000"),
    ("params", "125,500,500,2000,500,2000,2000,8000")])
def test_published_leaf_sizes(metric: str, sizes: str) -> None:
    assert ",".join(map(str, partition(f"published_tree[metric={metric}]", CTX).sizes)) == sizes


@pytest.mark.real_data
@pytest.mark.parametrize("row", BEST.strip().splitlines(), ids=lambda row: "-".join(row.split()[:2]))
def test_best_cells_of_published_leaves(shared_data: Path, row: str) -> None:
    """The 156 best by the values as they are stored, of equal ones those of lower index."""
    dataset, metric, counts, *best = row.split()
    accuracy = truth(shared_data, dataset)
    parts = partition(f"published_tree[metric={metric},dataset={dataset}]", CTX)
    top = np.argsort(-accuracy, kind="stable")[:156]
    assert ",".join(map(str, np.bincount(parts.label[top], minlength=8))) == counts
    assert [f"{accuracy[parts.members(leaf)].max():.2f}" for leaf in range(8)] == best


@pytest.mark.real_data
def test_what_published_splits_explain(shared_data: Path) -> None:
    for metric, expected in SEPARATION.items():
        found = [rank_eta2(partition(f"published_tree[metric={metric},dataset={dataset}]", CTX), truth(shared_data, dataset))
                 for dataset in DATASETS]
        assert found == pytest.approx(expected, abs=5.1e-4)


def by_truth(accuracy: NDArray[np.float64]) -> Context:
    key = TruthKey("made_up", "cifar10", "test", 200, "full")
    return replace(CTX, truth=GroundTruth(key, accuracy[:, None], ("0",), "", "made_up"))


@pytest.mark.real_data
def test_trees_by_the_truth(shared_data: Path) -> None:
    """metrics.md, B.5.2: the oracle's trees are cut by mean ranks of accuracy, not by mean accuracies."""
    published = {"0+1+2": (.245, .262, .232), "0+3+5": (.468, .489, .494)}
    for edges, expected in published.items():
        ranks = [rankdata(truth(shared_data, dataset)) for dataset in DATASETS]
        found = [rank_eta2(partition(f"metric_tree[metric=oracle,edges={edges}]", by_truth(rank)), rank) for rank in ranks]
        assert found == pytest.approx(expected, abs=5e-4)
    accuracy = truth(shared_data, "cifar10")
    assert rank_eta2(partition("metric_tree[metric=oracle]", by_truth(accuracy)), accuracy) == pytest.approx(.199, abs=5e-4)


@pytest.mark.real_data
@pytest.mark.parametrize(("of", "usual"), [(lambda accuracy: accuracy, 13), (rankdata, 17)], ids=["means", "ranks"])
def test_first_cuts_by_the_truth(shared_data: Path, of: Callable[[Any], Any], usual: int) -> None:
    """metrics.md, B.8: convolutions against the rest on 13 of 18 edges by accuracy, else {none, pool}; on 17 by ranks."""
    firsts = [partition(f"metric_tree[metric=oracle,edges={edge}]", by_truth(of(truth(shared_data, dataset)))).names[0]
              for dataset in DATASETS for edge in range(6)]
    assert (firsts.count("13"), firsts.count("np")) == (usual, 18 - usual)


@pytest.mark.real_data
def test_random_trees_are_the_published_null(shared_data: Path) -> None:
    """metrics.md, B.5.2: mean rank eta2 of 400 random trees .079, CIFAR-10; p5 .02 and p95 .19."""
    accuracy = truth(shared_data, "cifar10")
    found = [rank_eta2(partition("metric_tree[metric=random]", replace(CTX, seed=seed)), accuracy) for seed in range(400)]
    assert np.mean(found) == pytest.approx(.079, abs=.01)
    assert np.percentile(found, (5, 95)) == pytest.approx((.02, .19), abs=.015)
    assert f"{np.mean(found):.3f}" in criteria.describe("metric_tree").reference
