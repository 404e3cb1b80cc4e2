"""How to score and how to split: criteria under names, the rules that cut scores, and the one door that calls them.

    from criteria import Context, partition
    parts = partition("nonlinear[count=live]", Context(space, skeleton), k=3)
"""

from criteria import (
    activations,
    controls,
    counts,
    edges,
    ensemble,
    features,
    gradients,
    jacobians,
    matching,
    metric_tree,
    paths,
    published,
)
from criteria.base import Context, Criterion, Partition, Scorer, Scores
from criteria.guard import partition, score
from criteria.registry import Description, Registry, criteria, register

__all__ = ["Context", "Criterion", "Description", "Partition", "Registry", "Scorer", "Scores", "activations", "controls",
           "counts", "criteria", "edges", "ensemble", "features", "gradients", "jacobians", "matching", "metric_tree",
           "partition", "paths", "published", "register", "score"]
