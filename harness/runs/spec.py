"""What a run is: everything that changes a result, and the versioned key of each stage over the fields it reads."""

import json
import re
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from hashlib import sha256
from math import inf
from typing import Any

from benchmarks.benchmark import benchmark
from benchmarks.cost import Skeleton, layered_params, mixture_params
from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from harness.runs.content import typed

# Raised when a stage's code changes what it computes; old files of that stage are then computed anew, beside the old ones.
STAGE_VERSIONS = {"partition": 1, "weights": 1, "estimates": 1, "metrics": 1}
# Estimators that are a column of the estimates. Of all others, sums above all, the metrics have a version of their own, so that
# these keep their keys.
PLAIN = ("accuracy", "loss", "angle")
RANKED_VERSION = 2
SHARES = ("part", "all", "layers", "mixture")
# Whose supernets hold plain weights, which a child's can begin with.
INHERITABLE = {"part", "all"}
STARTS = ("inherit", "restart")
UNSAMPLED = ("frozen", "moving")
NORMS = ("batch", "recalibrated")
# Fields that may hold the path of a plug-in's file.
PLUGGABLE = ("criterion", "sampler", "estimator")
KEY_DIGITS = 12
# A field that came after the first published runs counts only where it is not at its default, so that those keep their keys:
# `field(default=..., metadata=LATER)`.
LATER = {"later": True}


@dataclass(frozen=True)
class Network:
    """The supernets: `channels` of the first stage before the reduction, divided by `gamma`; `cells` per stage.

    copies: of every weight when share=mixture; 0 = as many as there are parts. thresholds: when share=layers, the ascending
    counts of nonlinear functions between one copy of a cell and the next (see harness/networks/routes.py); none = the released
    code's, for as many copies as there are parts.
    """

    channels: int = 16
    gamma: int = 2
    cells: int = 5
    copies: int = field(default=0, metadata=LATER)
    thresholds: tuple[int, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(self.thresholds))  # JSON and TOML have lists
        if self.gamma < 1 or self.channels < 1 or self.channels % self.gamma:
            raise UsageError(f"network.channels={self.channels} cannot be divided by gamma={self.gamma}; choose a gamma >= 1 "
                             "that divides the channels.")
        if self.cells < 1:
            raise UsageError(f"network.cells={self.cells} leaves no cell; choose 1 or more.")
        if self.copies < 0:
            raise UsageError(f"network.copies={self.copies} leaves no weight; choose 1 or more, or 0 for as many as parts.")
        if list(self.thresholds) != sorted(set(self.thresholds)) or min(self.thresholds, default=0) < 0:
            raise UsageError(f"network.thresholds={list(self.thresholds)} do not ascend; give counts such as [15,20].")


@dataclass(frozen=True)
class Recipe:
    """How the supernets are trained, together: `passes` subnet passes in all, one pass = one batch through one architecture.

    The learning rate falls from lr to lr_end by a cosine over the global steps (EFS-NAS: cosine without restart).
    unsampled: what happens to weights without a gradient in a step. "frozen" leaves them alone, as PyTorch >= 2 does;
    "moving" lets momentum and weight decay go on once a weight has had a gradient, as PyTorch 1 did, under which the papers'
    code ran (SPOS's and AngleNet's drops such gradients itself).
    """

    passes: int = 60_000
    batch: int = 64
    lr: float = 0.1
    lr_end: float = 0.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    unsampled: str = field(default="frozen", metadata=LATER)

    def __post_init__(self) -> None:
        if self.passes < 1 or self.batch < 2:
            raise UsageError(f"recipe.passes={self.passes} and recipe.batch={self.batch} train nothing; passes must be >= 1 and "
                             "batch >= 2, because batch-norm needs two images.")
        for name in ("lr", "lr_end", "momentum", "weight_decay"):  # 0 and 0.0 are one spec, so they must have one key
            object.__setattr__(self, name, float(getattr(self, name)))
        if not (0 < self.lr < inf and 0 <= self.lr_end <= self.lr and 0 <= self.momentum < 1 and 0 <= self.weight_decay < inf):
            raise UsageError(f"recipe lr={self.lr}, lr_end={self.lr_end}, momentum={self.momentum}, weight_decay="
                             f"{self.weight_decay} cannot train; need 0 <= lr_end <= lr, lr > 0, momentum in [0, 1), decay >= 0.")
        if self.unsampled not in UNSAMPLED:
            raise UsageError(f"Unknown recipe.unsampled '{self.unsampled}'; choose 'frozen' (weights that a step did not sample "
                             "stay as they are) or 'moving' (momentum and weight decay go on).")


@dataclass(frozen=True)
class Estimation:
    """What the trained supernets are asked: which images in batches of what size, and which architectures.

    split: valid or test. images: the first so many of one fixed shuffled order, 0 = all. batch: batch-norm uses its
    statistics, so it is part of the result. architectures: a uniform sample of so many connected ones (the same for every
    run) and the truth's top 150; 0 = all architectures of the space. norm: "batch", or "recalibrated": batch-norm uses statistics
    measured for each architecture on `calibration` training images, in batches of the same size.
    """

    split: str = "valid"
    images: int = 0
    batch: int = 256
    architectures: int = 0
    norm: str = field(default="batch", metadata=LATER)
    calibration: int = field(default=512, metadata=LATER)

    def __post_init__(self) -> None:
        if self.norm not in NORMS or self.calibration < 2:
            raise UsageError(f"estimation norm='{self.norm}' with calibration={self.calibration} cannot be; choose norm=batch or "
                             "norm=recalibrated, and 2 or more images of calibration.")
        if self.norm == "batch" and self.calibration != Estimation.calibration:
            raise UsageError(f"estimation.calibration={self.calibration} means nothing with norm=batch; add --norm recalibrated.")
        if self.split not in ("valid", "test"):
            raise UsageError(f"Estimates cannot use '{self.split}' images; choose valid or test.")
        if self.images < 0 or self.batch < 2 or self.architectures < 0:
            raise UsageError(f"estimation images={self.images}, batch={self.batch}, architectures={self.architectures} cannot "
                             "be; images and architectures are >= 0 (0 = all) and batch is >= 2.")


@dataclass(frozen=True)
class RunSpec:
    """One run. Device, jobs and paths are not in it: they must not change a result.

    parent: the run that is trained before, whose parts the criterion may divide further. start: "inherit" begins with the weights
    of the parent's supernet that holds the part, "restart" with fresh ones; learning rate and momentum begin anew in both.
    """

    benchmark: str = "digits201"
    dataset: str = "digits"
    criterion: str = "nonlinear"
    k: int = 3
    seed: int = 0
    sampler: str = "sbs"
    share: str = "part"
    network: Network = Network()
    recipe: Recipe = Recipe()
    estimation: Estimation = Estimation()
    truth: str = "digits201/digits/test/60/full"
    population: str = "all"
    estimator: str = "accuracy"
    parent: "RunSpec | None" = field(default=None, metadata=LATER)
    start: str = field(default="inherit", metadata=LATER)

    def __post_init__(self) -> None:
        if self.share not in SHARES:
            raise UsageError(f"Unknown share '{self.share}'; choose 'part' (every part trains a supernet of its own), 'all' "
                             "(one supernet; the partition steers only the sampling), 'layers' (one supernet with copies of its "
                             "later cells) or 'mixture' (one, with copies of every weight, merged for each architecture).")
        for name, share in (("copies", "mixture"), ("thresholds", "layers")):
            if (value := getattr(self.network, name)) and self.share != share:
                nothing = "[]" if name == "thresholds" else "0"
                raise UsageError(f"network.{name}={value} means nothing with share={self.share}; say --set "
                                 f"network.{name}={nothing}, or choose --share {share}.")
        if self.k < 1:
            raise UsageError(f"k={self.k} makes no part; choose k >= 1.")
        self._check_start()

    def _check_start(self) -> None:
        if self.start not in STARTS:
            raise UsageError(f"Unknown start '{self.start}'; choose 'inherit' (the parent's trained weights) or 'restart' (fresh "
                             "ones; the parent is only asked for its parts).")
        parent = self.parent
        if parent is None:
            if self.start != "inherit":
                raise UsageError(f"start={self.start} is said of a run without a parent; give it one in a section [parent].")
            return
        if (parent.benchmark, parent.dataset) != (self.benchmark, self.dataset):
            raise UsageError(f"A run on {self.dataset} cannot begin from one on {parent.dataset}; let both have one dataset.")
        if self.start == "inherit" and (not {self.share, parent.share} <= INHERITABLE or self.network != parent.network):
            raise UsageError(f"Weights cannot pass from {parent.network} with share={parent.share} to {self.network} with share="
                             f"{self.share}; let both have one network, and share={' or '.join(sorted(INHERITABLE))}, "
                             "or choose start=restart.")

    @property
    def stream(self) -> int:
        """The seed of initialisation, draws and image order: a child does not see again what its parent began with."""
        return self.seed if self.parent is None else derive(self.seed, "child", self.parent.stream)

    @property
    def passes(self) -> int:
        """The subnet passes of it and of all its ancestors."""
        return self.recipe.passes + (self.parent.passes if self.parent is not None else 0)

    @property
    def images(self) -> int:
        """The images in the passes of it and of all its ancestors."""
        return self.recipe.passes * self.recipe.batch + (self.parent.images if self.parent is not None else 0)

    @property
    def skeleton(self) -> Skeleton:
        """The supernet's network on this benchmark's images."""
        alone = benchmark(self.benchmark).skeleton_for(self.dataset)
        return replace(alone, channels=self.network.channels // self.network.gamma, cells=self.network.cells)

    def supernets(self, k: int) -> int:
        """How many supernets there are when the partition has k parts."""
        return k if self.share == "part" else 1

    def copies(self, k: int) -> int:
        """How many copies of weights a supernet has when the partition has k parts."""
        if self.share == "mixture":
            return self.network.copies or k
        if self.share == "layers":
            return len(self.network.thresholds) + 1 if self.network.thresholds else k
        return 1

    def parameters(self, k: int) -> int:
        """Parameters of all supernets when the partition has k parts."""
        space = benchmark(self.benchmark).space
        if self.share == "mixture":
            return mixture_params(space, self.skeleton, self.copies(k))
        return self.supernets(k) * layered_params(space, self.skeleton, self.copies(k))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "RunSpec":
        """The inverse of `as_dict`; UsageError where a field is not of its type, as in a stranger's file."""
        nested = {"network": Network, "recipe": Recipe, "estimation": Estimation}
        made = {name: nested[name](**typed(nested[name], value)) if name in nested else value
                for name, value in typed(cls, fields).items()}
        if made.get("parent"):
            made["parent"] = cls.from_dict(made["parent"])
        return cls(**made)


@dataclass(frozen=True)
class Keys:
    """The identity of each stage: a hash of its version, what it reads, and the key of the stage before.

    sources: hashes of what is behind the run: "images" and "truth", and the code of a plug-in as "criterion", "sampler" or
    "estimator", empty for those that come with the harness; "parent", the key of its trained weights, where there is one.
    """

    partition: str
    weights: str
    estimates: str
    metrics: str

    @classmethod
    def of(cls, spec: RunSpec, sources: dict[str, str], criterion_needs: frozenset[str], weights: str = "") -> "Keys":
        """The keys of a run; weights: of trained supernets that its estimates were made with, instead of those of the spec."""
        # The place of a plug-in's file is no part of what it does; its content is.
        read_by = counted(spec)
        read_by |= {name: re.sub(r"[^\[\]=+]*\.py:", "", read_by[name]) for name in PLUGGABLE}

        def key(stage: str, names: tuple[str, ...], **more: Any) -> str:
            content = {"stage": stage, "version": STAGE_VERSIONS[stage], **more,
                       **{name: read_by[name] for name in names if name in read_by}}
            return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:KEY_DIGITS]

        truth = {"truth": sources["truth"]}
        read: dict[str, str] = {need: sources[need] for need in ("truth", "images") if need in criterion_needs}
        if spec.parent is not None:  # a criterion may ask its parts and its networks
            read["parent"] = sources["parent"]
        partition = key("partition", ("benchmark", "dataset", "criterion", "k", "seed"), plugin=sources["criterion"],
                        **read)
        plugin = {"plugin": sources["sampler"]} if sources["sampler"] else {}
        weights = weights or key("weights", ("sampler", "share", "network", "recipe", "start"), partition=partition,
                      images=sources["images"], **plugin)
        # A sample of architectures comes with the truth's top 150, so there the truth decides what is estimated.
        estimates = key("estimates", ("estimation",), weights=weights, **(truth if spec.estimation.architectures else {}))
        judge: dict[str, Any] = {"plugin": sources["estimator"]} if sources.get("estimator") else {}
        if spec.estimator not in PLAIN:
            judge["ranked"] = RANKED_VERSION
        metrics = key("metrics", ("truth", "population", "estimator"), estimates=estimates, truth_sha256=sources["truth"],
                      **judge)
        return cls(partition, weights, estimates, metrics)


def counted(part: Any) -> dict[str, Any]:
    """The fields of a spec or a section of it that its keys count: all but later ones at their defaults."""
    found = {}
    for each in fields(part):
        value = getattr(part, each.name)
        if not (each.metadata == LATER and value == each.default):
            found[each.name] = counted(value) if is_dataclass(value) else value
    return found
