# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Add a criterion
#
# A criterion of your own is a frozen dataclass with one method. Its fields are its parameters. Here: how many paths of an
# architecture lead from the input to the output, each weighted by its convolutions.

# %%
from dataclasses import dataclass

import numpy as np

from criteria import Context, Scorer, Scores, criteria, register


@register("weighted_paths")
@dataclass(frozen=True)
class WeightedPaths(Scorer):
    """Sum over the paths from input to output of 1 + bonus * (convolutions on the path)."""

    bonus: float = 1.0

    def score(self, ctx: Context) -> Scores:
        """A number for every architecture in the order of ctx.space, higher = better, NaN = undefined."""
        space = ctx.space
        live = np.asarray(space.codes) != space.op("none")
        conv = np.isin(space.codes, [space.op("nor_conv_1x1"), space.op("nor_conv_3x3")])
        # Paths to each node, and convolutions on all of them together.
        paths, convs = [np.ones(len(space))], [np.zeros(len(space))]
        for node in range(1, space.n_node):
            into = [(edge, source) for edge, (source, target) in enumerate(space.edges) if target == node]
            paths.append(sum(live[:, edge] * paths[source] for edge, source in into))
            convs.append(sum(live[:, edge] * (convs[source] + conv[:, edge] * paths[source]) for edge, source in into))
        return Scores(paths[-1] + self.bonus * convs[-1], "weighted paths")


# %% [markdown]
# Does it get right what every criterion has to? The conformance kit raises when not.

# %%
from harness.testing import check_criterion

check_criterion(WeightedPaths())

# %% [markdown]
# Its scores, and how they rank beside the truth:

# %%
from benchmarks.benchmark import benchmark
from harness.progress import Reporter
from harness.scoring.scores import scored, truths_at_hand, verdicts
from harness.scoring.world import Machine, context_of

digits = benchmark("digits201")
truths = truths_at_hand(digits)
with Reporter() as reporter:
    context = context_of(digits, "digits", 0, truths[0], [WeightedPaths()], Machine(), reporter)
for name in ("weighted_paths", "weighted_paths[bonus=3]", "nonlinear", "flops"):
    found = scored(criteria.get(name), context, seeds=1)
    for verdict in verdicts(found, digits, truths):
        print(f"{name:24} tau-b {verdict.mean:.3f} on {verdict.taus[0].n:,} ({verdict.population})")

# %% [markdown]
# Before any training: is its split better than chance, and than those that are known?

# %%
from harness.scoring.sample import judged_on
from harness.splits.rivals import compare_splits

rivals = [criteria.get(name) for name in ("weighted_paths", "nonlinear", "flops", "random", "oracle")]
lineup = compare_splits(rivals, context, 3, truths[0], judged_on(digits, truths[0], "all", None))
for row in lineup.candidates:
    print(f"{row.criterion:16} parts {' / '.join(map(str, row.partition.sizes)):22} variance explained {row.separation.eta2:.3f}")

# %% [markdown]
# In a file `my_proxy.py`, the same class works in every command: `harness run --criterion ./my_proxy.py:WeightedPaths --k 3`.
# `harness new-criterion my_proxy` writes such a file and its test.
