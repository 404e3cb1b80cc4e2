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
# # Sixty seconds
#
# One few-shot NAS experiment from its question to its answer: split the 15,625 cells of NAS-Bench-201 by the number of their
# nonlinear functions, train a supernet for each part, estimate architectures with inherited weights, and compare with the truth.
# Nothing is downloaded: `digits201` comes with the harness, a benchmark of the same cells on 8x8 digits.

# %%
from harness.presets import resolve
from harness.progress import Reporter
from harness.runs.run import Run
from harness.runs.runner import execute
from harness.scoring.world import Machine

spec = resolve({}, {"criterion": "nonlinear", "k": 3, "budget": "smoke"})
spec

# %% [markdown]
# The spec is everything that changes a result. A run is a folder named after it: run this cell twice, and the second time it only
# reads what is there.

# %%
run = Run.prepare(spec)
with Reporter() as reporter:
    metrics = execute(run, Machine(), reporter)

# %%
tau, sizes = metrics["tau"], dict(zip(metrics["part_names"], metrics["parts"], strict=True))
print(f"convolutions on the richest path -> architectures: {sizes}")
print(f"tau-b {tau['value']:.3f} [{tau['low']:.3f}, {tau['high']:.3f}] on {tau['n']:,} architectures, where noise-free estimates "
      f"would reach {tau['ceiling']:.3f}")
print(f"{metrics['budget']['passes']:,} subnet passes through {metrics['budget']['supernets']} supernets")

# %% [markdown]
# A tau alone says little. How much of it is in the numbers of the parts, how much do the supernets add?

# %%
inside = metrics["populations"][metrics["population"]]["decomposition"]
print(f"part numbers alone {metrics['labels']['criterion']['value']:.3f}, random parts of the same sizes "
      f"{metrics['labels']['random']['value']:.3f}, parts made by the truth itself {metrics['labels']['oracle']['value']:.3f}")
print(f"estimates: {inside['within']:.3f} within parts, {inside['across']:.3f} across them")

# %% [markdown]
# The true accuracies of the parts beside those that their supernets estimate:

# %%
from harness.figures.gallery import figure
from harness.runs.collection import collect

records = collect([run.folder]).records
parts = figure("parts")
parts.draw(parts.frame(records), 2)

# %% [markdown]
# And the control that isolates the split: the same sampler and the same number of passes, but one supernet for all parts.

# %%
control = Run.prepare(resolve({}, {"criterion": "nonlinear", "k": 3, "budget": "smoke", "share": "all"}))
with Reporter() as reporter:
    shared = execute(control, Machine(), reporter)
print(f"three supernets {tau['value']:.3f}, one supernet {shared['tau']['value']:.3f}")

# %% [markdown]
# One seed shows nothing: `harness sweep --vary share=all,part --vary seed=0..4` runs several and says before it starts which
# difference they can show. From here: [02_add_a_criterion](02_add_a_criterion.ipynb), [03_paper_figures](03_paper_figures.ipynb).
