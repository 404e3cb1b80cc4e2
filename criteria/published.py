"""Splits published as masks: the trees that the metric-driven framework was evaluated with."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from criteria.base import Context, Partition
from criteria.mask import Mask
from criteria.registry import register
from criteria.tree import Tree

Metric = Literal["gm", "gn", "grasp", "snip", "jc", "sf", "ntk", "lr", "params", "rnd888"]
Dataset = Literal["cifar10", "cifar100", "ImageNet16-120"]

EVEN = "sp/sp/sp sp/sp/n13 sp/n13/sp sp/n13/n13 n13/sp/sp n13/sp/n13 n13/n13/sp n13/n13/n13"
CROSSED = "sp/sp/sp sp/sp/n13 sp/n13/sp sp/n13/n13 n13/sp/n1 n13/sp/s3p n13/n13/sp n13/n13/n13"
SYNFLOW = "n/n/n n/n/s13p n/s13p/n n/s13p/s13p s13p/13/n s13p/13/s13p s13p/nsp/n s13p/nsp/s13p"
REGIONS = "n/n/n n/n/s13p n/s13p/n n/s13p/s13p s13p/n/n s13p/n/s13p s13p/s13p/n s13p/s13p/s13p"
PARAMS = "3/n/n 3/n/s13p 3/s13p/n 3/s13p/s13p ns1p/n/n ns1p/n/s13p ns1p/s13p/n ns1p/s13p/s13p"
DRAWN = "3/ns/n1p 3/ns/s3 3/13p/ns 3/13p/13p ns1p/s1/ns3 ns1p/s1/1p ns1p/n3p/3 ns1p/n3p/ns1p"

# The leaves of each tree, in order, as operations on edges 0/1/2, for CIFAR-10, CIFAR-100 and ImageNet16-120.
LEAVES: dict[Metric, tuple[str, str, str]] = {
    "gm": ("3/3/1 3/3/ns3p 3/ns1p/3 3/ns1p/ns1p ns1p/3/1 ns1p/3/ns3p ns1p/ns1p/1 ns1p/ns1p/ns3p",
           "3/1/1 3/1/ns3p 3/ns3p/3 3/ns3p/ns1p ns1p/3/1 ns1p/3/ns3p ns1p/ns1p/1 ns1p/ns1p/ns3p",
           "3/1/1 3/1/ns3p 3/ns3p/1 3/ns3p/ns3p ns1p/3/1 ns1p/3/ns3p ns1p/ns1p/1 ns1p/ns1p/ns3p"),
    "gn": (CROSSED, EVEN, CROSSED),
    "grasp": (CROSSED, CROSSED, EVEN),
    "snip": (EVEN, EVEN, EVEN),
    "jc": ("sp/13/sp sp/13/n13 sp/nsp/13 sp/nsp/nsp n13/sp/13 n13/sp/nsp n13/n13/13 n13/n13/nsp",
           "13/sp/13 13/sp/nsp 13/n13/13 13/n13/nsp nsp/13/13 nsp/13/nsp nsp/nsp/3 nsp/nsp/ns1p",
           "13/sp/n 13/sp/s13p 13/n13/13 13/n13/nsp nsp/13/sp nsp/13/n13 nsp/nsp/13 nsp/nsp/nsp"),
    "sf": (SYNFLOW, SYNFLOW, SYNFLOW),
    "ntk": ("13/sp/13 13/sp/nsp 13/n13/1 13/n13/ns3p nsp/13/sp nsp/13/n13 nsp/nsp/n3 nsp/nsp/s1p",
            "13/sp/n 13/sp/s13p 13/n13/13 13/n13/nsp nsp/13/sp nsp/13/n13 nsp/nsp/n3 nsp/nsp/s1p",
            "13/13/13 13/13/nsp 13/nsp/13 13/nsp/nsp nsp/sp/13 nsp/sp/nsp nsp/n13/sp nsp/n13/n13"),
    "lr": (REGIONS, REGIONS, REGIONS),
    "params": (PARAMS, PARAMS, PARAMS),
    "rnd888": (DRAWN, DRAWN, DRAWN),
}
DATASETS: tuple[Dataset, ...] = ("cifar10", "cifar100", "ImageNet16-120")


@register("published_tree")
@dataclass(frozen=True)
class PublishedTree:
    """The eight parts that the metric-driven framework published for a metric and a data set, on edges 0, 1, 2.

    gm: gradient matching, gn: gradient norm, jc: Jacobian covariance, sf: SynFlow, lr: linear regions, rnd888: random. Some
    are defaults of the released code, where its metric told no operations apart: all of lr, and params beyond edge 0.
    Source: Ly-Manson et al., AutoML 2024, search configurations of brain-bzh/metric_driven_few_shot_nas.
    """

    metric: Metric = "gm"
    dataset: Dataset = "cifar10"
    needs: ClassVar[frozenset[str]] = frozenset()
    fixed_k: ClassVar[int | None] = 8
    reference: ClassVar[str] = "rank eta2 0.200 (gm), 0.232 (ntk), 0.114 (snip), 0.046 (lr) (nats/cifar10/test/200/full)"

    def split(self, ctx: Context, k: int) -> Partition:
        """The published leaves as parts, in their order."""
        leaves = LEAVES[self.metric][DATASETS.index(self.dataset)].split()
        return Tree(tuple(Mask.read(leaf, ctx.space) for leaf in leaves), ((),) * k).partition(ctx.space, (0, 1, 2))
