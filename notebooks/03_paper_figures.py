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
# # The figures of a paper
#
# Every figure is a frame and a drawing of that frame alone. The frames below come from published runs and from the tables that
# are at hand: `digits201` comes with the harness; figures about NAS-Bench-201 need its table (`harness data import FILE --as
# nasbench201`, see the README), and say so where it is missing.

# %%
from pathlib import Path

from benchmarks.errors import HarnessError
from harness.figures.gallery import FIGURES, figure
from harness.runs.collection import collect

published = Path("../results/published")
digits = collect([published / "digits201-controls", published / "digits201-factorial"]).records
cifar = collect([published / "cifar10-cpu"]).records
print(f"{len(digits)} runs on digits201, {len(cifar)} on CIFAR-10")
for name, kind in FIGURES.items():
    print(f"{name:12} {kind.about}")


# %%
def show(name, runs, columns=2):
    """The figure of some runs, or why there is none; below it what it shows in words, and what it leaves out."""
    kind = figure(name)
    try:
        frame = kind.frame(runs)
        drawing = kind.draw(frame, columns)
    except HarnessError as error:
        print(f"{name}: {error}")
        return None
    print(kind.describe(frame), *kind.left_out(runs), sep="\n")
    return drawing


# %% [markdown]
# ## Accuracies per part (EFS-NAS, Fig. 2), and what the parts cost (Fig. 3)

# %%
show("violins", digits)

# %%
show("violins", cifar)

# %%
show("costs", digits)

# %% [markdown]
# ## Ranking with full and with reduced channels (Fig. 4), and estimates against the truth

# %%
show("widths", digits)

# %%
show("scatter", digits)

# %%
show("scatter", cifar)

# %% [markdown]
# ## Architectures per part, and how often each part is sampled (Fig. 5)

# %%
show("exposure", digits)

# %% [markdown]
# ## Parts as leaves of a tree, with the best 1 % marked (metric-driven few-shot NAS)

# %%
show("leaves", digits)

# %% [markdown]
# ## What each factor is worth

# %%
show("effects", [record for record in digits if record.spec.criterion == "nonlinear"])

# %% [markdown]
# ## How alike the splits are

# %%
show("agreement", digits)

# %% [markdown]
# ## Every method on the random-search curve, and tau against the budget

# %%
show("curve", digits)

# %%
show("budget", collect([published / "digits201-controls", published / "digits201-budget"]).records)

# %% [markdown]
# ## How the supernets trained

# %%
show("training", cifar)

# %% [markdown]
# A figure from `kind.draw` is for looking and for changing; it looks like a paper's whatever the settings of matplotlib are.
# `kind.write(frame, Path("figure"))` draws and saves it as PDF, PNG and CSV, as `harness figure NAME RUNS... --out FILE` does;
# `harness figure NAME --csv FILE` draws a CSV again.
