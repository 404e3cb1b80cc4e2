"""Whether the budget that metrics state is the one of their spec, and of the curves of the training where those are there."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, HarnessError
from criteria.base import Partition
from harness.runs.check import Check, compared
from harness.runs.collection import Record
from harness.runs.spec import RunSpec
from harness.runs.stages import parameters_used
from harness.training.checkpoint import read_tensors
from harness.training.sampling import Pool, samplers
from harness.training.task import Task

NOTHING = {"passes": 0, "images": 0, "flops": 0}
# What a file of curves may hold, see harness/training/curve.py.
CURVES = {"curve.sums", "curve.passes", "curve.flops", "curve.codes"}


@dataclass(frozen=True)
class Plan:
    """The passes and images of trainings by their recipes, and those of a step of each, by which they may differ."""

    asked: int
    step: int
    seen: int
    seen_in_step: int

    def passes(self, stated: int) -> int:
        """The stated ones where they are those of the plan, else the plan's."""
        return stated if abs(stated - self.asked) <= self.step else self.asked

    def images(self, stated: int) -> int:
        """Likewise of images."""
        return stated if abs(stated - self.seen) <= self.seen_in_step else self.seen


def budget_check(record: Record, stored: Mapping[str, Any], key: str, partition: Partition, whole: bool) -> Check:
    """The budget counted again; whole: all of the partition is known."""
    spec, k, unseen = record.spec, len(record.part_names), []
    inherited = {**NOTHING, **stored.get("inherited", {})}
    said = {**stored, **{name: stored[name] - inherited[name] for name in NOTHING}, "inherited": inherited}
    made: dict[str, Any] = {"supernets": spec.supernets(k), "parameters": spec.parameters(k), "passes": said["passes"],
                            "images": said["passes"] * spec.recipe.batch}
    curves = [_curve(path, key) for path in sorted(record.folder.glob("training-*.safetensors"))]
    if curves:
        made["passes"] = sum(int(curve["curve.passes"].sum()) for curve in curves)
        made["flops"] = sum(float(curve["curve.flops"]) for curve in curves)
    else:
        unseen.append("FLOPs, as the curves of the training are not in the folder")
    own, before = planned([(spec, k)]), planned(_ancestors(spec))
    if own is None or before is None:
        unseen.append("passes beside the recipe's, as a sampler is not one of ours")
    else:
        made["passes"] = own.passes(made["passes"])
        made["inherited"] = {"passes": before.passes(inherited["passes"]), "images": before.images(inherited["images"]),
                             "flops": inherited["flops"]}
    if "parameters_used" in stored:
        if whole:
            pool = Pool.of(partition, benchmark(spec.benchmark).space)
            made["parameters_used"] = parameters_used(
                [Task(spec, i, pool, record.folder, key, "cpu") for i in range(spec.supernets(k))], k)
        else:
            unseen.append("parameters used, as the folder does not hold the whole partition")
    if spec.parent is not None:
        unseen.append("FLOPs of its parents, whose folders are others")
    return compared("budget", {name: said[name] for name in made}, made, "; ".join(unseen))


def _ancestors(spec: RunSpec) -> list[tuple[RunSpec, int]]:
    return [] if spec.parent is None else [(spec.parent, spec.parent.k), *_ancestors(spec.parent)]


def planned(generations: list[tuple[RunSpec, int]]) -> Plan | None:
    """What the recipes of trainings ask for; None where a sampler is somebody's own."""
    steps: list[Plan] = []
    for spec, k in generations:
        try:
            sampler = None if ".py:" in spec.sampler else samplers.get(spec.sampler)
        except HarnessError:
            sampler = None
        if sampler is None or samplers.source_sha256(sampler):
            return None
        space = benchmark(spec.benchmark).space
        # A step has as many passes whatever the parts hold.
        each = len(sampler.draw(Pool(tuple(np.array_split(np.flatnonzero(space.connected), k)), space), 0, 0))
        count = max(1, round(spec.recipe.passes / sampler.passes_per_step(k)))
        steps.append(Plan(count * each, each, count * each * spec.recipe.batch, each * spec.recipe.batch))
    return Plan(*(sum(column) for column in zip(*map(astuple, steps), strict=True))) if steps else Plan(0, 0, 0, 0)


def _curve(path: Path, key: str) -> dict[str, Any]:
    about = {"schema": "supernet/1", "key": key, "supernet": path.stem.removeprefix("training-")}
    tensors, words = read_tensors(path, about)
    if not set(tensors) <= CURVES or words != about:
        raise DataError(f"{path} holds more than curves ({', '.join(sorted({*tensors} - CURVES)) or 'words'}); delete it.")
    return tensors
