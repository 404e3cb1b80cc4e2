"""Trees of operation groups: a node divides the operations of one edge in two, a leaf is a part.

Sources: Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022 (GM-NAS), where groups are balanced and the
edge is chosen; Ly-Manson et al., "Analyzing Few-Shot Neural Architecture Search in a Metric-Driven Framework", AutoML 2024,
where neither holds. The first has similarities of gradients, the second distances of any metric.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import RunError, UsageError
from benchmarks.space import Space
from criteria.base import Partition
from criteria.mask import Mask, Masks

# Similarities and metrics that differ by less of their size are taken for equal.
NOISE = 1e-9
Group = tuple[int, ...]


@dataclass(frozen=True)
class Cut:
    """Operations in two groups. weight: the sum of the similarities between them. degenerate: it is a cut by default, as
    all similarities are equal or some undefined, so that nothing speaks for it.
    """

    first: Group
    second: Group
    weight: float
    degenerate: bool = False


def bipartitions(ops: Group, sizes: Sequence[int]) -> tuple[tuple[Group, Group], ...]:
    """Every division of the operations in two whose smaller side has one of the sizes, each once, in the order of the
    released code: by size, then as operations count. Five operations have 15, ten of them balanced.
    """
    found = []
    for size in sizes:
        for first in combinations(ops, size):
            if 0 < 2 * size < len(ops) or (first and 2 * size == len(ops) and first[0] == ops[0]):
                found.append((first, tuple(op for op in ops if op not in first)))
    return tuple(found)


def group_sizes(n_op: int, balanced: bool) -> tuple[int, ...]:
    """The sizes of the smaller side: half, as in GM-NAS (2|3), or any, as in the metric-driven framework (1|4 and 2|3)."""
    return (n_op // 2,) if balanced else tuple(range(1, n_op // 2 + 1))


def cut_operations(similarity: NDArray[np.float64], sizes: Sequence[int]) -> Cut:
    """The least similar two groups of operations, as positions 0..n_op-1: of all divisions with those sizes, the first that
    minimises the sum of similarities between the sides.

    similarity: float64 [n_op, n_op], symmetric, no unit; its diagonal is not read. An undefined sum (NaN) is never less.
    Raises RunError when it is not square or no division has such sizes.
    """
    n_op = len(similarity)
    if similarity.shape != (n_op, n_op):
        raise RunError(f"similarities must be [n_op, n_op], not {list(similarity.shape)}.")
    divisions = bipartitions(tuple(range(n_op)), sizes)
    if not divisions:
        raise RunError(f"{n_op} operations cannot be divided with {' or '.join(map(str, sizes))} on the smaller side.")
    weights = np.array([similarity[np.ix_(first, second)].sum() for first, second in divisions])
    best = int(np.argmin(np.where(np.isnan(weights), np.inf, weights)))
    between = similarity[np.triu_indices(n_op, 1)]
    flat = bool(np.isnan(between).any() or np.ptp(between) <= NOISE * np.abs(between).max())
    return Cut(*divisions[best], float(weights[best]), degenerate=flat and len(divisions) > 1)


def divide(ops: Group, similarity: NDArray[np.float64], balanced: bool) -> Cut:
    """The cut between operations, as codes, whose similarities [n_op, n_op] stand in the same order; see `cut_operations`."""
    found = cut_operations(similarity, group_sizes(len(ops), balanced))
    first, second = (tuple(ops[i] for i in group) for group in (found.first, found.second))
    return replace(found, first=first, second=second)


def closeness(metrics: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 [n_op, n_op]: minus the distances between metrics [n_op] or [n_op, d], in their unit; at most 1e-9 of the largest
    metric is no distance. Cutting it parts the operations that the metric tells apart most.
    """
    points = metrics.reshape(len(metrics), -1)
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    distance[distance <= NOISE * np.abs(points).max(initial=0.0)] = 0.0
    similarity: NDArray[np.float64] = -distance
    return similarity


@dataclass(frozen=True)
class Tree:
    """Masks as the leaves of full binary trees, as many as `roots`. by_default: for each leaf the edges whose cut above it was
    degenerate.
    """

    leaves: tuple[Mask, ...]
    by_default: tuple[tuple[int, ...], ...]
    roots: int = 1

    def partition(self, space: Space, edges: Sequence[int]) -> Partition:
        """The leaves as parts, named by what those edges may hold, with ! behind a cut by default."""
        rule = Masks(self.leaves)
        names = tuple("/".join(leaf.text(space, (edge,)) + "!" * (edge in marked) for edge in edges)
                      for leaf, marked in zip(self.leaves, self.by_default, strict=True))
        return Partition(rule.label(space.codes), names, rule, parents=parents(len(self.leaves), self.roots))


def parents(n_leaf: int, n_root: int = 1) -> tuple[int, ...]:
    """The parent of each node of full binary trees, -1 at the roots: leaves first, then level by level upwards."""
    return (*(n_leaf + node // 2 for node in range(2 * (n_leaf - n_root))), *(-1,) * n_root)


def masks_of(parts: Partition, space: Space) -> tuple[Mask, ...]:
    """The parts as masks; UsageError when one of them was not made by dividing the operations of edges."""
    found = tuple(Mask.around(space.codes[parts.members(part)]) for part in range(parts.k))
    for name, mask, size in zip(parts.names, found, parts.sizes, strict=True):
        if mask.size != size:
            raise UsageError(f"the parent's part '{name}' is no product of operations on edges, so it cannot be divided "
                             "further; choose a parent that is not split, or split by operations.")
    return found


def grow(space: Space, edges: Sequence[int], levels: int, cut: Callable[[Mask, int], Cut], *, choose: bool = False,
         default: bool = False, roots: Sequence[Mask] = ()) -> Tree:
    """The tree of 2**levels leaves whose nodes divide their edges by `cut(node, edge)`, with groups in codes of operations.

    From each of the roots one, by default from the whole space. Level i divides edge i of those given; with choose, the edge not
    yet divided whose cut weighs least (of equal sizes: GM-NAS's largest distance), and a degenerate one only where all are.
    Raises UsageError at a degenerate cut, unless default takes it as it comes.
    """
    roots, n_op = tuple(roots) or (Mask.whole(space),), len(space.op_names)
    nodes: list[tuple[Mask, tuple[int, ...]]] = [(root, ()) for root in roots]
    for level in range(levels):
        below = []
        for mask, marked in nodes:
            open_edges = [edge for edge in edges if len(mask.allowed[edge]) == n_op] if choose else [edges[level]]
            made, edge = min(((cut(mask, edge), edge) for edge in open_edges), key=lambda it: (it[0].degenerate, it[0].weight))
            if made.degenerate and not default:
                source, target = space.edges[edge]
                raise UsageError(f"the operations on edge {target}<-{source} of {mask.text(space, edges)} cannot be told apart "
                                 "by the metric, so no cut is better than another; choose another metric or other edges, or "
                                 "mode=released, which takes the first cut as the released code does.")
            below += [(mask.only(edge, group), marked + (edge,) * made.degenerate) for group in (made.first, made.second)]
        nodes = below
    return Tree(tuple(mask for mask, _ in nodes), tuple(marked for _, marked in nodes), len(roots))
