"""Frames of figures, made up: of any number of panels, with what is hard to draw, with long names that are nearly alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.benchmark import benchmark
from harness.figures.gallery import FIGURES
from harness.figures.kind import Kind
from harness.figures.parts import part_frame

SPACE = benchmark("digits201").space
# Names that HTML and TeX would take for markup.
AS_HTML = "$x_{$ | <b>&amp; a name that is much too long for its place"
AS_TEX = "$x_{$ | <b>%&\\ a name that is much too long for the place that it has in a figure"
PLUGIN = "./MY_PROXIES.py:GRADIENT_NORM_AT_INIT[BATCH=128,WARM_UP=TRUE]"
NAMES = [f"{PLUGIN}, sbs, part, gamma={i}" for i in range(4)]


def made_up(kind: Kind, panels: int, k: int, size: int) -> pd.DataFrame:
    """A frame of that many panels, with names that are no markup."""
    rng = np.random.default_rng(0)
    part = np.tile(np.arange(k), size)
    columns = {"part": part, "name": [f"{i} {AS_HTML}" for i in part], "index": rng.choice(len(SPACE), len(part), replace=False),
               "connected": True, "dataset": "digits", "estimator": "loss", "tau": np.nan, "eta2": 0.1, "architectures": 1}
    measured = ("accuracy", "truth", "estimate", "flops", "params", "uniform", "sbs")
    numbers = {name: rng.uniform(50, 90, len(part)) for name in measured}
    numbers |= {name: (1e6 * numbers[name]).round() for name in ("flops", "params")}
    frames = [pd.DataFrame({**columns, **numbers, "panel": f"{i} {AS_HTML}"}) for i in range(panels)]
    return pd.concat(frames, ignore_index=True)[list(kind.columns)]


def extreme() -> dict[str, pd.DataFrame]:
    """Frames with what is hard to draw: names that are no names, NaN, one point, many panels."""
    names = [AS_TEX, "", "None", "2"]
    made = {
        "widths": [("p", name, 1, 2, 0, 7, 1.0, 1.0, 1, *[np.nan] * 5, 2) for name in names],
        "leaves": [(name, part, AS_TEX, 1, 0, 0, 1.0, 2.0, part, 0) for name in names for part in range(2)],
        "budget": [("p", name, passes, np.nan if name else 0.5, np.nan, 1) for name in names for passes in (1, 10 ** 6)],
        "effects": [("", "main", AS_TEX, name, 0.1, np.nan, np.nan, np.nan, 1, np.nan, np.nan) for name in names],
        "agreement": [(AS_TEX, one, other, np.nan, 0) for i, one in enumerate(names) for other in names[i:]],
        "curve": [("p", "", k, k, 50.0, 50.0, 50.0, 0) for k in (1, 9)] + [
            ("p", name, k, np.nan, np.nan, np.nan, np.nan, 1) for name in names[:1] + names[2:] for k in (1, 10)],
        "training": [(name, "run", i, AS_TEX, 1, 3, 1.0, 50.0) for name in names[:2] for i in range(9)],
    }
    return {name: pd.DataFrame(rows, columns=list(FIGURES[name].columns)) for name, rows in made.items()}


def plugins() -> dict[str, pd.DataFrame]:
    """A frame of each kind whose names are long and alike but for their ends, as those of plug-ins are."""
    found, panels = extreme(), [name for name in NAMES for _ in range(4)]
    rows: dict[str, list[tuple[Any, ...]]] = {
        "budget": [("digits201, digits", name, passes, 0.5, 0.1, 3) for name in NAMES for passes in (600, 6000)],
        "effects": [(f"digits201, {name}", "main", "criterion", f"{PLUGIN} - nonlinear", 0.1, 0.05, 0.15, 0.1, 3, 0.1, 0.1)
                    for name in NAMES],
        "agreement": [("digits201, digits", one, other, 0.3, 10) for i, one in enumerate(NAMES) for other in NAMES[i:]],
        "leaves": [(name, part, "|nor_conv_3x3~0|+|NONE~0|" * 3, 10, 0, 0, 1.0, 2.0, 5, 0)
                   for name in NAMES for part in range(2)],
        "training": [(name, "run", 0, "s", epoch, 3, 1.0, 50.0) for name in NAMES for epoch in (1, 2)],
        "curve": [("p", "", k, k, 50.0, 50.0, 50.0, 0) for k in (1, 9)] + [
            ("p", name, k, 3.0, 50.0, 49.0, 51.0, 1) for name in NAMES for k in (1, 10)],
    }
    made = {name: pd.DataFrame(each, columns=list(FIGURES[name].columns)) for name, each in rows.items()}
    made["widths"] = pd.concat([found["widths"].iloc[:1].assign(method=name) for name in NAMES])
    return made | {name: made_up(FIGURES[name], 4, 2, 2).assign(panel=panels)
                   for name in ("violins", "costs", "scatter", "exposure")} | {"parts": several_parts(NAMES)}


def several_parts(names: Sequence[str]) -> pd.DataFrame:
    """A frame of parts of these names, each with about one architecture in 600."""
    label = np.where(SPACE.connected, np.arange(len(SPACE)) % 600, -1)
    label[label >= len(names)] = -1
    return part_frame(label.astype(np.int16), tuple(names), SPACE, np.linspace(50, 90, len(SPACE)), title=PLUGIN,
                      meaning=PLUGIN * 3)
