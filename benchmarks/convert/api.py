"""A truth from an API object of the official packages that a user has already opened.

nas-bench-201 2.1 (`NASBench201API`) and nats_bench 1.8 (`NATStopology`) keep results as `arch2infos_dict[index][epochs]`, an
`ArchResults` that answers `query(dataset)` with the trials by seed; a NATS-Bench folder is loaded one architecture at a time
(github.com/D-X-Y/NAS-Bench-201, github.com/D-X-Y/NATS-Bench). Neither package is imported here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.column import NewColumn, logical_hash
from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey, refuse_no_truth

NATS = "nats"
FILES = {"v1_0": "NAS-Bench-201-v1_0-e61699.pth", "v1_1": "NAS-Bench-201-v1_1-096897.pth"}
HALF = "cifar10-valid"
# (dataset, split, train_on) -> what the packages call the data set and the images.
SETS = {
    ("cifar10", "valid", "half"): ("cifar10-valid", "x-valid"), ("cifar10", "test", "half"): ("cifar10-valid", "ori-test"),
    ("cifar10", "test", "full"): ("cifar10", "ori-test"),
    **{(dataset, split, "full"): (dataset, official) for dataset in ("cifar100", "ImageNet16-120")
       for split, official in (("valid", "x-valid"), ("test", "x-test"), ("valtest", "ori-test"))},
}


def truth_of_api(api: Any, key: TruthKey) -> GroundTruth:
    """The truth of a key as the opened object has it, equal to that of a table imported from the same file.

    A NATS-Bench folder is read once, and what was not in memory before is let go again. Raises UsageError for an object of
    neither package, or of another file than the key names, and for a key that it does not have; DataError for an object
    whose architectures are not in the official order or whose values are no accuracies.
    """
    refuse_no_truth(str(key), key)
    package = _package(api, key)
    if (key.dataset, key.split, key.train_on) not in SETS:
        raise UsageError(f"{package} has no '{key}', for it knows {_known()}; choose another key.")
    if tuple(api.meta_archs) != tuple(nasbench201().strings):
        raise DataError(f"The architectures of this {package} object are not in the official order, so its numbers cannot be "
                        "assigned; open the official file.")
    dataset, images = SETS[key.dataset, key.split, key.train_on]
    found: dict[int, NDArray[np.float64]] = {}
    # architectures with any results, and with some that v1_0 has of none
    held, later = 0, 0
    for index in range(len(api.meta_archs)):
        results = _results(api, index)
        held += any(part.get_dataset_names() for part in results.values())
        later += "12" in results and any(name != HALF for name in results["12"].get_dataset_names())
        trials = results.get(str(key.epochs))
        if trials is None or dataset not in trials.get_dataset_names():
            continue
        for seed, trial in trials.query(dataset).items():
            if images in trial.get_eval_set():
                values = found.setdefault(int(seed), np.full(len(api.meta_archs), np.nan))
                values[index] = trial.get_eval(images)["accuracy"]
    if key.source in FILES:
        _check_file(key, held, later)
    if not found:
        raise UsageError(f"This {package} object has no architecture with '{key}'; choose a key that its file has (12 or 200 "
                         "epochs).")
    columns = [NewColumn(f"s{seed}", key, str(seed), found[seed]) for seed in sorted(found)]
    for column in columns:
        column.check()
    return GroundTruth(key, np.stack([c.values for c in columns], axis=1), tuple(c.seed for c in columns),
                       logical_hash(c.header for c in columns), f"{package} object")


def _package(api: Any, key: TruthKey) -> str:
    """The package an object is of; UsageError when it is none, or when the key is of another file."""
    kinds = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(api).__mro__}
    if ("nats_bench", "NATSsize") in kinds:
        raise UsageError("This object is of NATS-Bench's size space, which is another space; open the topology space ('tss').")
    if ("nats_bench", "NATStopology") in kinds:
        if key.source != NATS:
            raise UsageError(f"'{key}' is of {key.source} and this nats_bench object is of NATS-Bench; write "
                             f"{NATS}/... or open {_file(key.source)}.")
        return "nats_bench"
    if ("nas_201_api", "NASBench201API") in kinds:
        if key.source not in FILES:
            raise UsageError(f"'{key}' is of {key.source} and a nas_201_api object is of {' or '.join(FILES)}; write the one "
                             "that its file is of.")
        return "nas_201_api"
    raise UsageError(f"A {type(api).__module__}.{type(api).__name__} is no opened benchmark; give an object of "
                     "nas_201_api.NASBench201API (2.1) or nats_bench.create(..., 'tss').")


def _check_file(key: TruthKey, held: int, later: int) -> None:
    """Which file an object of nas_201_api is of shows in its content, as in an import; the name of the file may have changed."""
    if later not in (0, held):
        raise DataError(f"This nas_201_api object mixes files v1_0 and v1_1 of NAS-Bench-201: {later} of {held} architectures "
                        "have results of 12 epochs on data sets where only v1_1 has any; open one of the official files.")
    source = "v1_1" if later else "v1_0"
    if held and key.source != source:
        has = "results" if later else "no results"
        raise UsageError(f"'{key}' is of {key.source} and this nas_201_api object is of {source}, for it has {has} of 12 epochs "
                         f"on other data sets than {HALF}; write {source}/... or open {FILES[key.source]}.")


def _file(source: str) -> str:
    return f"{FILES[source]} with nas_201_api" if source in FILES else "an object of that source"


def _results(api: Any, index: int) -> Mapping[str, Any]:
    """Epochs as text -> results of an architecture; empty when the object has none of it."""
    if index in api.arch2infos_dict:
        found: Mapping[str, Any] = api.arch2infos_dict[index]
        return found
    if not getattr(api, "fast_mode", False):
        return {}
    try:
        api.reload(api.archive_dir, index)
    except (AssertionError, FileNotFoundError):
        # How nats_bench says that its folder has no file of that architecture.
        return {}
    api.evaluated_indexes.discard(index)
    loaded: Mapping[str, Any] = api.arch2infos_dict.pop(index)
    return loaded


def _known() -> str:
    return ", ".join("/".join(parts) for parts in sorted(SETS))
