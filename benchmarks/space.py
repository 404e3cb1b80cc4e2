"""The cell space of NAS-Bench-201 as arrays: codes, strings, live edges, equivalences and populations.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020. A cell has
four nodes (0 = input, 3 = output) and six edges j -> i with j < i; a node is the plain sum of its incoming edges.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from benchmarks.expression import Expression

POPULATIONS = ("all", "connected", "distinct")
# The official order is a shuffle of the enumeration with this seed (NAS-Bench-201 API, "meta_archs").
OFFICIAL_SHUFFLE_SEED = 88


@dataclass(frozen=True, eq=False)
class Space:
    """A cell space in its official order.

    codes: uint8 [n_arch, n_edge], the index into `op_names` of the operation on each edge.
    edges: (source, target) of each column of `codes`.
    """

    name: str
    op_names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    codes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.codes)

    def op(self, name: str) -> int:
        """The code of the operation called `name`."""
        return self.op_names.index(name)

    @property
    def n_node(self) -> int:
        return 1 + max(target for _, target in self.edges)

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """Every way from the input to the output, as the edges it walks."""

        def walk(node: int) -> Iterable[tuple[int, ...]]:
            if node == self.n_node - 1:
                yield ()
            for e, (source, target) in enumerate(self.edges):
                if source == node:
                    yield from ((e, *rest) for rest in walk(target))

        return tuple(sorted(walk(0), key=lambda path: (len(path), path)))

    # ---- strings

    @cached_property
    def strings(self) -> list[str]:
        """The official string of every architecture, e.g. `|none~0|+|skip_connect~0|none~1|+|...|`."""
        return [self.string(code) for code in self.codes]

    def string(self, code: Sequence[int] | NDArray[np.uint8]) -> str:
        """The official string of one code [n_edge]."""
        nodes: dict[int, list[str]] = {}
        for (source, target), op in zip(self.edges, code, strict=True):
            nodes.setdefault(target, []).append(f"{self.op_names[op]}~{source}")
        return "+".join("|" + "|".join(nodes[target]) + "|" for target in sorted(nodes))

    def parse(self, arch: str) -> tuple[int, ...]:
        """The code of an official string; edges of a node may stand in any order.

        Raises DataError for a string that names an unknown operation, a wrong source or not every edge exactly once.
        """
        code: dict[tuple[int, int], int] = {}
        for target, node in enumerate(arch.strip().split("+"), start=1):
            for entry in node.strip().strip("|").split("|"):
                op, _, source = entry.partition("~")
                if op not in self.op_names or not source.isdigit():
                    raise DataError(f"'{arch}' is not a {self.name} architecture: '{entry}' is no 'operation~node' "
                                    f"with an operation of {', '.join(self.op_names)}.")
                if (int(source), target) in code:
                    raise DataError(f"'{arch}' is not a {self.name} architecture: edge {target}<-{source} stands twice.")
                code[int(source), target] = self.op_names.index(op)
        if set(code) != set(self.edges):
            raise DataError(f"'{arch}' is not a {self.name} architecture: it must have exactly the edges "
                            + ", ".join(f"{target}<-{source}" for source, target in self.edges) + ".")
        return tuple(code[edge] for edge in self.edges)

    @cached_property
    def _index_of_rank(self) -> NDArray[np.int64]:
        index = np.full(len(self.op_names) ** len(self.edges), -1)
        index[self._rank(self.codes)] = np.arange(len(self))
        return index

    def _rank(self, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
        weights = len(self.op_names) ** np.arange(len(self.edges))[::-1]
        return codes.astype(np.int64) @ weights

    def index(self, codes: NDArray[np.uint8] | Sequence[Sequence[int]]) -> NDArray[np.int64]:
        """int64 [m]: the official index of each of the codes [m, n_edge]."""
        return self._index_of_rank[self._rank(np.asarray(codes, dtype=np.uint8))]

    def index_of(self, arch: str) -> int:
        """The official index of an architecture string; DataError when it is none of this space."""
        return int(self.index([self.parse(arch)])[0])

    # ---- which edges matter

    @cached_property
    def live(self) -> NDArray[np.bool_]:
        """bool [n_arch, n_edge]: the edge lies on a path from the input to the output without 'none'."""
        return self.live_edges(self.codes)

    def live_edges(self, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """bool [m, n_edge] of any codes [m, n_edge]: the edge lies on a path from input to output without 'none'."""
        open_ = codes != self.op("none")
        from_input = np.zeros((len(codes), self.n_node), bool)
        to_output = np.zeros((len(codes), self.n_node), bool)
        from_input[:, 0] = to_output[:, -1] = True
        for e, (source, target) in sorted(enumerate(self.edges), key=lambda item: item[1][1]):
            from_input[:, target] |= open_[:, e] & from_input[:, source]
        for e, (source, target) in sorted(enumerate(self.edges), key=lambda item: -item[1][0]):
            to_output[:, source] |= open_[:, e] & to_output[:, target]
        sources, targets = np.array(self.edges).T
        live: NDArray[np.bool_] = open_ & from_input[:, sources] & to_output[:, targets]
        return live

    @cached_property
    def connected(self) -> NDArray[np.bool_]:
        """bool [n_arch]: some path leads from the input to the output; the others score exactly chance."""
        connected: NDArray[np.bool_] = np.any(self.live, axis=1)
        return connected

    # ---- equivalences and populations

    @cached_property
    def live_codes(self) -> NDArray[np.uint8]:
        """uint8 [n_arch, n_edge]: `codes` with every dead edge set to 'none'."""
        return np.where(self.live, self.codes, np.uint8(self.op("none")))

    @cached_property
    def live_id(self) -> NDArray[np.int32]:
        """int32 [n_arch]: same cell after dropping dead edges (9,445 classes); numbered by first appearance."""
        return _number(self._rank(self.live_codes).tolist())

    @cached_property
    def function_id(self) -> NDArray[np.int32]:
        """int32 [n_arch]: same function under shared weights (7,810 classes).

        A skip is an alias of its source, sums are flattened, a pooling has no weights, anything of zero is zero (a
        convolution has no bias and its batch-norm no affine part).
        """
        return self._by_live_cell(lambda code: Expression(self.op_names, self.edges, code.tolist()).output)

    @cached_property
    def training_id(self) -> NDArray[np.int32]:
        """int32 [n_arch]: same stand-alone network up to the names of its independently initialised weights (5,260).

        A convolution whose output is used twice stays one instance: conv(x) + conv(x) with one set of weights is another
        network than with two.
        """
        return self._by_live_cell(lambda code: Expression(self.op_names, self.edges, code.tolist()).renamed())

    def _by_live_cell(self, form: Callable[[NDArray[np.uint8]], object]) -> NDArray[np.int32]:
        first = first_members(self.live_id)
        return _number([form(code) for code in self.live_codes[first]])[self.live_id]

    def unique_strings(self, consider_zero: bool) -> list[str]:
        """The official isomorphism strings (`to_unique_str` of the NATS-Bench API): 6,466 with zeros, 12,751 without."""
        unique = []
        for code in self.codes.tolist():
            nodes = {0: "0"}
            for target in range(1, self.n_node):
                terms = []
                for (source, to), op in zip(self.edges, code, strict=True):
                    if to != target:
                        continue
                    name = self.op_names[op]
                    if consider_zero and (name == "none" or nodes[source] == "#"):
                        terms.append("#")
                    else:
                        terms.append(nodes[source] if name == "skip_connect" else f"({nodes[source]})@{name}")
                nodes[target] = "+".join(sorted(terms))
            unique.append(nodes[self.n_node - 1])
        return unique

    def population(self, name: str) -> NDArray[np.int64]:
        """int64 [m], ascending: the official indices of 'all', 'connected' or 'distinct' (first of each live_id)."""
        if name == "all":
            return np.arange(len(self))
        if name == "connected":
            return np.flatnonzero(self.connected)
        if name == "distinct":
            return first_members(self.live_id)
        raise UsageError(f"Unknown population '{name}'; choose one of {', '.join(POPULATIONS)}.")


def first_members(class_id: NDArray[np.int32]) -> NDArray[np.int64]:
    """int64 [n_class], ascending: the lowest index of every class of class_id [n_arch]."""
    return np.sort(np.unique(class_id, return_index=True)[1])


def _number(forms: Sequence[object]) -> NDArray[np.int32]:
    """Equal forms get equal numbers, counted in order of first appearance."""
    number: dict[object, int] = {}
    return np.array([number.setdefault(form, len(number)) for form in forms], dtype=np.int32)


@cache
def nasbench201() -> Space:
    """All 15,625 cells in the official index order of NAS-Bench-201 and of the NATS-Bench topology space."""
    ops = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    edges = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    codes = list(product(range(len(ops)), repeat=len(edges)))
    random.Random(OFFICIAL_SHUFFLE_SEED).shuffle(codes)
    array = np.array(codes, dtype=np.uint8)
    array.setflags(write=False)
    return Space("nasbench201", ops, edges, array)
