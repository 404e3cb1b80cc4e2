"""A run: a spec with everything it names looked up, its identity, and where its files are."""

import os
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import Benchmark, Population, benchmark
from benchmarks.errors import UsageError
from benchmarks.images import ImageData, load_images
from benchmarks.truth import GroundTruth, load_truth
from criteria.base import Context, Criterion
from criteria.guard import number_of_parts
from criteria.matching import GradientMatching
from criteria.registry import criteria
from harness.estimation.estimate import TOP, best
from harness.estimation.estimators import check, estimator_needs, estimator_sha256
from harness.provenance import provenance
from harness.runs.spec import Keys, RunSpec
from harness.scoring.sample import sampled
from harness.store import read_json, results_home, run_name, write_json
from harness.training.sampling import samplers
from harness.truths import about


@dataclass(frozen=True, eq=False)
class Run:
    """A spec with everything that it names looked up.

    sources: hashes of its data and of the code of its plug-ins, and the key of its parent's weights. folder: where the stages put
    their files. parent: the run whose supernets it begins from or asks, in a folder of its own.
    """

    spec: RunSpec
    criterion: Criterion
    truth: GroundTruth
    images: ImageData
    sources: dict[str, str]
    keys: Keys
    folder: Path
    parent: "Run | None" = None

    @classmethod
    def prepare(cls, spec: RunSpec, images: ImageData | None = None) -> "Run":
        """Look up all that the spec names, so that what is missing is missing before the first expensive second.

        images: of the dataset, where they are loaded already.
        """
        bench = benchmark(spec.benchmark)
        bench.check_dataset(spec.dataset)
        bench.space.population(spec.population)
        sampler = samplers.get(spec.sampler)
        criterion = criteria.get(spec.criterion)
        number_of_parts(criterion, spec.k)
        if "supernet=" in spec.criterion:
            raise UsageError(f"The criterion '{spec.criterion}' asks another run, which no key of this one would hold; make that "
                             "run the parent, in a section [parent] of --config, and leave supernet out.")
        if spec.parent is not None and isinstance(criterion, GradientMatching):
            criterion.check_parent(spec.parent.share)
        check(spec)
        truth = about(load_truth(spec.truth, bench.table), spec.truth, bench, spec.dataset)
        images = images or load_images(spec.dataset)
        parent = cls.prepare(spec.parent, images) if spec.parent is not None else None  # which has the same dataset
        asked = spec.estimation
        if asked.architectures and spec.population == "distinct":
            raise UsageError(f"population=distinct cannot be judged on a sample of {asked.architectures} connected "
                             "architectures; choose --set estimation.architectures=0 or --population all.")
        if asked.images > (known := len(images.select(asked.split)) * images.copies):
            raise UsageError(f"estimation.images={asked.images} is more than the {known:,} {asked.split} images of "
                             f"{spec.dataset}; choose fewer, or 0 for all.")
        if asked.norm == "recalibrated" and asked.calibration > (known := len(images.train) * images.copies):
            raise UsageError(f"estimation.calibration={asked.calibration} is more than the {known:,} training images of "
                             f"{spec.dataset}; choose fewer.")
        sources = {"images": images_sha256(images), "truth": truth.sha256,
                   "criterion": criteria.source_sha256(criterion), "sampler": samplers.source_sha256(sampler)}
        if code := estimator_sha256(spec.estimator):
            sources["estimator"] = code
        if parent is not None:
            sources["parent"] = parent.keys.weights
        keys = Keys.of(spec, sources, criterion.needs)
        return cls(spec, criterion, truth, images, sources, keys, results_home() / run_name(spec, keys), parent)

    @property
    def bench(self) -> Benchmark:
        return benchmark(self.spec.benchmark)

    @property
    def needs(self) -> dict[str, list[str]]:
        """What its criterion, those of its ancestors and its estimator need, for readers of its files: they open no plug-in."""
        ancestors = self.parent.needs if self.parent is not None else {"criterion": [], "parent": []}
        return {"criterion": sorted(self.criterion.needs), "parent": sorted({*ancestors["criterion"], *ancestors["parent"]}),
                "estimator": sorted(estimator_needs(self.spec.estimator))}

    @property
    def context(self) -> Context:
        """What the criterion sees: the truth only when it says that it needs it."""
        truth = self.truth if "truth" in self.criterion.needs else None
        return Context(self.bench.space, self.bench.skeleton_for(self.spec.dataset), self.spec.seed, truth)

    @property
    def partition_file(self) -> Path:
        return self.folder / "partition.parquet"

    @property
    def about_partition(self) -> dict[str, str]:
        """What the partition's file says of itself."""
        return {"schema": "partition/1", "key": self.keys.partition}

    @property
    def estimates_file(self) -> Path:
        return self.folder / f"estimates-{self.keys.estimates}.parquet"

    @property
    def metrics_file(self) -> Path:
        return self.folder / f"metrics-{self.keys.metrics}.json"

    @property
    def finished(self) -> bool:
        """Every stage's file is there."""
        # Not Path.exists, which raises in a folder that may not be looked into.
        return os.path.exists(self.metrics_file) and os.path.exists(self.folder / "spec.json")

    @cached_property
    def populations(self) -> list[Population]:
        """What it is judged on, see `populations_of`."""
        return populations_of(self.spec, self.truth)

    def record(self, stage: str, facts: dict[str, Any]) -> None:
        """Note in provenance.json what a stage took and where it ran."""
        path = self.folder / "provenance.json"
        content = read_json(path, "provenance/1") if path.exists() else {"schema": "provenance/1", "data_sha256": self.sources}
        write_json(path, {**content, stage: {**facts, **provenance()}})


def images_sha256(images: ImageData) -> str:
    """Hash of the images and of how they are split and shown."""
    look = f"{images.sha256} {images.split} {images.augmentation} {images.copies} {images.mean} {images.std}"
    return sha256(look.encode()).hexdigest()


def populations_of(spec: RunSpec, truth: GroundTruth) -> list[Population]:
    """What a run is judged on: first a population of the space, or a sample; then the truth's best, where all of it is known."""
    bench, true, size = benchmark(spec.benchmark), truth.mean(), spec.estimation.architectures
    first = sampled(bench, truth, size) if size else bench.population(spec.population, truth)
    # The best of a small sample are no elite.
    known = bool(np.isfinite(true).all())
    return [first, Population(f"top {TOP}", best(true))] if known else [first]
