"""Files in the layouts of NAS-Bench-201 and NATS-Bench, made from a plain list of facts, and the trials they must import to.

Layouts, key sets, types and the order of insertion are those of the genuine files (NATS specimens) and of the code that wrote
them (github.com/D-X-Y/AutoDL-Projects); the numbers are invented.
"""

import bz2
import pickle
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.convert.confinement import TRIAL
from benchmarks.pickles.record import DATASETS, FIELDS
from benchmarks.space import nasbench201

NAN = float("nan")
# data set -> its sets in the order of the file at 12 epochs and at 200, classes, and (set -> our split).
EVALUATED = {
    "cifar10-valid": (("x-valid", "ori-test"), ("x-valid", "ori-test"), 10, {"x-valid": "valid", "ori-test": "test"}),
    "cifar10": (("ori-test",), ("ori-test",), 10, {"ori-test": "test"}),
    "cifar100": (("x-valid", "x-test", "ori-test"), ("ori-test", "x-valid", "x-test"), 100,
                 {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"}),
    "ImageNet16-120": (("x-valid", "x-test", "ori-test"), ("ori-test", "x-valid", "x-test"), 120,
                       {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"}),
}
# Which set has every epoch of the 200, the others only the last.
FOLLOWED = {"cifar10-valid": "x-valid", "cifar10": "ori-test", "cifar100": "ori-test", "ImageNet16-120": "ori-test"}
# Images that an accuracy counts.
IMAGES = {"cifar10-valid": {"train": 25_000, "x-valid": 25_000, "ori-test": 10_000},
          "cifar10": {"train": 50_000, "ori-test": 10_000},
          "cifar100": {"train": 50_000, "x-valid": 5_000, "x-test": 5_000, "ori-test": 10_000},
          "ImageNet16-120": {"train": 151_700, "x-valid": 3_000, "x-test": 3_000, "ori-test": 6_000}}
# Millions: of the skeleton, of a 3x3 and of a 1x1 convolution (the closed forms of ../shared/data/README.md).
PARAMS = {"cifar10-valid": 0.073306, "cifar10": 0.073306, "cifar100": 0.079156, "ImageNet16-120": 0.080456}
SEEDS = {1: (888,), 2: (777, 888), 3: (777, 888, 999)}


@dataclass(frozen=True)
class Training:
    """One training as a fact. train: accuracy, loss and seconds per epoch; sets: name -> accuracy, loss, seconds, per epoch.

    seconds None, or gaps in it, are what v1_0 lacks.
    """

    index: int
    epochs: int
    dataset: str
    seed: int
    accuracy: tuple[float, ...]
    loss: tuple[float, ...]
    seconds: float | None
    sets: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    evaluation_seconds: dict[str, float]
    params: float
    flops: float
    latency: float | None

    @property
    def record(self) -> tuple[Any, ...]:
        """The row of TRIAL that this training must become."""
        values = {"train_accuracy": self.accuracy[-1], "train_loss": self.loss[-1], "params": self.params, "flops": self.flops}
        if self.seconds is not None:
            values["train_seconds"] = float(np.sum([np.longdouble(self.seconds)] * self.epochs))
        if self.latency is not None:
            values["latency"] = self.latency
        for name, split in EVALUATED[self.dataset][3].items():
            accuracy, loss = self.sets[name]
            values[f"{split}_accuracy"], values[f"{split}_loss"] = accuracy[-1], loss[-1]
            values[f"{split}_seconds"] = self.evaluation_seconds.get(name, NAN)
        return (self.index, self.epochs, DATASETS.index(self.dataset), self.seed, *(values.get(name, NAN) for name in FIELDS))


def trials(facts: Iterable[Training]) -> NDArray[np.void]:
    """What a source of these facts imports to: structured [n_trial] of TRIAL, ascending."""
    return np.array(sorted((fact.record for fact in facts), key=lambda record: record[:4]), TRIAL)


def facts(source: str, architectures: Sequence[int] = (0, 11, 284, 9930), seed: int = 0) -> list[Training]:
    """Invented trainings of some architectures, as `source` (v1_0, v1_1 or nats) has them.

    Numbers of seeds at 200 epochs go round 1, 2, 3 (nats: 2, 3), so that a source of three architectures has each. v1_0 has
    no results of 12 epochs but cifar10-valid, and every second architecture lacks its times. The second architecture has under
    its last seed the parameters and FLOPs of another one, as about one in a hundred of the genuine ones has.
    """
    found: list[Training] = []
    for position, index in enumerate(architectures):
        random_ = random.Random(f"{seed}-{index}")
        counts = (2, 3) if source == "nats" else (1, 2, 3)
        seeds = SEEDS[counts[position % len(counts)]]
        cost = _costs(index, random_)
        for dataset in DATASETS:
            short = (777,) if source == "v1_0" else (111, 777) if dataset == "cifar10-valid" else (111,)
            if source != "v1_0" or dataset == "cifar10-valid":
                found += [_training(index, 12, dataset, s, random_, cost[dataset]) for s in short]
            for s in seeds:
                training = _training(index, 200, dataset, s, random_, cost[dataset])
                if source == "v1_0" and position % 2:
                    training = replace(training, seconds=None, evaluation_seconds={}, latency=None)
                if position == 1 and s == seeds[-1]:
                    other = -1 if "nor_conv_3x3" in nasbench201().strings[index] else 1
                    flops = 35.38944 / 4 if dataset == "ImageNet16-120" else 35.38944
                    training = replace(training, params=round(training.params + other * 0.24304, 6),
                                       flops=round(training.flops + other * flops, 5))
                found.append(training)
    return found


def _costs(index: int, random_: random.Random) -> dict[str, dict[str, Any]]:
    """What an architecture costs on each data set: the same for all seeds, as the files were calibrated."""
    ops = nasbench201().strings[index]
    n3, n1 = ops.count("nor_conv_3x3"), ops.count("nor_conv_1x1")
    second, evaluation = random_.uniform(5, 20), random_.uniform(1, 5)
    times = {"cifar10-valid": 1, "cifar10": 2, "cifar100": 2, "ImageNet16-120": 151_700 / 25_000}
    flops = {"cifar10-valid": 7.78305, "cifar10": 7.78305, "cifar100": 7.7889, "ImageNet16-120": 7.7824}
    found = {}
    for dataset in DATASETS:
        total = flops[dataset] + 35.38944 * n3 + 3.93216 * n1
        found[dataset] = {"params": round(PARAMS[dataset] + 0.24304 * n3 + 0.028 * n1, 6), "seconds": second * times[dataset],
                          "flops": round(total / 4 + 0.0078 if dataset == "ImageNet16-120" else total, 5),
                          "latency": random_.uniform(0.01, 0.03),
                          "evaluation_seconds": {name: evaluation * share
                                                 for share, name in zip((1, 0.5, 0.25), EVALUATED[dataset][0], strict=False)}}
    return found


def _training(index: int, epochs: int, dataset: str, seed: int, random_: random.Random, cost: dict[str, Any]) -> Training:
    def curve(low: float, high: float) -> tuple[float, ...]:
        return tuple(round(random_.uniform(low, high), 5) for _ in range(epochs))

    def accuracies(images: int) -> tuple[float, ...]:
        return tuple(100 * round(random_.uniform(0.05, 0.95) * images) / images for _ in range(epochs))

    sets = {name: (accuracies(IMAGES[dataset][name]), curve(0.01, 5)) for name in EVALUATED[dataset][0]}
    if "x-test" in sets:
        # The official test images are those of both halves.
        accuracy = tuple((v + t) / 2 for v, t in zip(sets["x-valid"][0], sets["x-test"][0], strict=True))
        sets["ori-test"] = (accuracy, sets["ori-test"][1])
    return Training(index, epochs, dataset, seed, accuracies(IMAGES[dataset]["train"]), curve(0.001, 5), sets=sets, **cost)


# ---- the dictionaries of the files


def result_state(fact: Training, weights: Any = None) -> dict[str, Any]:
    """The ResultsCount dictionary of one training."""
    names = EVALUATED[fact.dataset][fact.epochs == 200]
    last, followed = fact.epochs - 1, FOLLOWED[fact.dataset]
    kept = [(name, epoch) for name in names for epoch in range(fact.epochs)
            if fact.epochs == 12 or name == followed or epoch == last]
    times = {f"{name}@{epoch}": fact.evaluation_seconds[name] for name in names for epoch in range(fact.epochs)
             if name in fact.evaluation_seconds}
    return {"name": fact.dataset, "train_acc1es": dict(enumerate(fact.accuracy)),
            "train_acc5es": dict(enumerate(fact.accuracy)) if fact.epochs == 12 else None,
            "train_losses": dict(enumerate(fact.loss)),
            "train_times": None if fact.seconds is None else OrderedDict((e, fact.seconds) for e in range(fact.epochs)),
            "arch_config": {"channel": 16, "num_cells": 5, "arch_str": nasbench201().strings[fact.index],
                            "class_num": EVALUATED[fact.dataset][2]},
            "params": np.float64(fact.params), "flop": fact.flops, "seed": f"{fact.seed:04d}", "epochs": fact.epochs,
            "latency": None if fact.latency is None else [np.float64(fact.latency)], "eval_names": list(names),
            "eval_acc1es": {f"{name}@{epoch}": fact.sets[name][0][epoch] for name, epoch in kept}, "eval_times": times,
            "eval_losses": {f"{name}@{epoch}": fact.sets[name][1][epoch] for name, epoch in kept},
            "net_state_dict": weights}


def arch_state(facts: Sequence[Training], weights: Callable[[], Any] = lambda: None) -> dict[str, Any]:
    """The ArchResults dictionary of one architecture at one number of epochs."""
    seeds: dict[str, list[int]] = {}
    for fact in sorted(facts, key=lambda fact: fact.seed):
        seeds.setdefault(fact.dataset, []).append(fact.seed)
    # The genuine order follows a set of seeds.
    ordered = sorted(facts, key=lambda fact: (-fact.seed, DATASETS.index(fact.dataset)))
    return {"arch_index": facts[0].index, "arch_str": nasbench201().strings[facts[0].index],
            "all_results": {(fact.dataset, fact.seed): result_state(fact, weights()) for fact in ordered},
            "dataset_seed": seeds, "clear_net_done": weights() is None}


def both(facts: Sequence[Training], keys: tuple[str, str], weights: Callable[[], Any] = lambda: None) -> OrderedDict[str, Any]:
    """One architecture: keys[0] -> its results of 12 epochs, keys[1] -> of 200."""
    return OrderedDict((key, arch_state([fact for fact in facts if fact.epochs == epochs], weights))
                       for key, epochs in zip(keys, (12, 200), strict=True))


def by_architecture(facts: Iterable[Training]) -> dict[int, list[Training]]:
    """The trainings of each architecture, ascending."""
    found: dict[int, list[Training]] = {}
    for fact in sorted(facts, key=lambda fact: fact.index):
        found.setdefault(fact.index, []).append(fact)
    return found


def nats_object(facts: Iterable[Training]) -> dict[str, Any]:
    """What NATS-tss-v1_0-3ffb9.pickle.pbz2 holds."""
    archs = by_architecture(facts)
    return {"meta_archs": list(nasbench201().strings), "total_archs": 15_625,
            "arch2infos": {index: both(of, ("12", "200")) for index, of in archs.items()}, "evaluated_indexes": set(archs)}


def nasbench201_object(facts: Iterable[Training]) -> dict[str, Any]:
    """What NAS-Bench-201-v1_1-096897.pth holds."""
    archs = by_architecture(facts)
    infos = {index: {"full": pair["full"], "less": pair["less"]}
             for index, pair in ((index, both(of, ("less", "full"))) for index, of in archs.items())}
    return {"meta_archs": list(nasbench201().strings), "total_archs": 15_625, "arch2infos": infos,
            "evaluated_indexes": sorted(archs)}


@cache
def weights() -> Any:
    """A small state dictionary as torch makes it, with a float and an integer storage."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.BatchNorm1d(30)).state_dict()


# ---- the files


def write_bz2(path: Path, value: object) -> Path:
    """As the official code does: pickle of protocol 4 in bz2."""
    with bz2.BZ2File(path, "wb") as file:
        pickle.dump(value, file, protocol=4)
    return path


def write_torch(path: Path, value: object, zipped: bool = False) -> Path:
    """torch.save, in its legacy form unless `zipped`."""
    import torch

    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def write_nats_folder(folder: Path, facts: Iterable[Training], full: bool = False, meta: bool = True) -> Path:
    """NATS-tss-v1_0-3ffb9-simple, or -full with weights."""
    folder.mkdir(parents=True)
    for index, of in by_architecture(facts).items():
        write_bz2(folder / f"{index:06d}.pickle.pbz2", both(of, ("12", "200"), weights if full else lambda: None))
    if meta:
        write_bz2(folder / "meta.pickle.pbz2", {"meta_archs": list(nasbench201().strings), "total_archs": 15_625,
                                                "arch2infos": None, "evaluated_indexes": set()})
    return folder


def write_nats_file(path: Path, facts: Iterable[Training]) -> Path:
    """NATS-tss-v1_0-3ffb9.pickle.pbz2."""
    return write_bz2(path, nats_object(facts))


def write_nasbench201(path: Path, facts: Iterable[Training], zipped: bool = False) -> Path:
    """NAS-Bench-201-v1_0-e61699.pth or NAS-Bench-201-v1_1-096897.pth."""
    return write_torch(path, nasbench201_object(facts), zipped)


def write_archive(folder: Path, facts: Iterable[Training], full: bool = False, zipped: bool = False) -> Path:
    """NAS-Bench-201-v1_1-archive: {index:06d}-SIMPLE.pth, or -FULL.pth with weights. May add to a folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, of in by_architecture(facts).items():
        pair = both(of, ("less", "full"), weights if full else lambda: None)
        value = OrderedDict((key, pair[key]) for key in ("full", "less"))
        write_torch(folder / f"{index:06d}-{'FULL' if full else 'SIMPLE'}.pth", value, zipped)
    return folder


def write_size_space(folder: Path) -> Path:
    """One architecture and the list of the size search space, NATS-sss-v1_0-50262-simple."""
    folder.mkdir(parents=True)
    channels = "8:8:8:16:32"
    short = [fact for fact in facts("nats", (11,)) if fact.epochs == 12]
    state = arch_state(short)
    state["arch_str"] = channels
    for result in state["all_results"].values():
        result["arch_config"] = {"name": "infer.shape.tiny", "channels": channels, "arch_str": channels, "genotype": "",
                                 "class_num": result["arch_config"]["class_num"]}
    write_bz2(folder / "000011.pickle.pbz2", OrderedDict((key, state) for key in ("01", "12", "90")))
    write_bz2(folder / "meta.pickle.pbz2", {"meta_archs": [channels] * 32_768, "total_archs": 32_768, "arch2infos": None,
                                            "evaluated_indexes": set()})
    return folder
