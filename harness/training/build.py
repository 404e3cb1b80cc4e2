"""Building the table of an embedded benchmark: its stand-alone networks trained class by class, resumable and parallel.

Every finished class is one small file, written whole or not at all; what is there is not trained again. The table can
be assembled from the finished classes at any time: the others are NaN.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, benchmark
from benchmarks.ceiling import ceiling
from benchmarks.column import NewColumn
from benchmarks.errors import DataError, UsageError
from benchmarks.folder import data_home, write_atomically
from benchmarks.images import ImageData, load_images
from benchmarks.seeds import derive
from benchmarks.space import Space, first_members
from benchmarks.table import Table, write_table
from benchmarks.truth import GroundTruth, TruthKey
from harness.measures.tau import tau_b
from harness.training.standalone import Batches, Recipe, train_and_test, training_batches

# What may be built: benchmark -> dataset.
BUILT = {"digits201": "digits"}
# Counts up when the same recipe would give other networks.
FORMAT = 1
RULE = ("All architectures are put in one random order and their training classes are trained as they are first met; "
        "a class is represented by its member of lowest index, and all members of a class share its row. The first "
        "`drawn` architectures of the order are a uniform sample whose classes are all trained.")


@dataclass(frozen=True)
class Plan:
    """What is trained and where the finished classes lie.

    recipe: of every network; seeds: trained together; sha256: of the images; folder: of the finished classes.
    """

    name: str
    recipe: Recipe
    seeds: tuple[int, ...]
    sha256: str
    folder: Path

    def path(self, class_id: int) -> Path:
        """The file of a finished class."""
        return self.folder / f"{class_id:05}.json"


def plan(name: str = "digits201", seeds: Sequence[int] = (0, 1, 2), folder: Path | None = None,
         recipe: Recipe | None = None) -> Plan:
    """The plan for a benchmark; its folder is <data home>/build/NAME/<hash of all that changes a result> unless given.

    Raises UsageError for a benchmark that is not built but imported, and for seeds that stand twice.
    """
    if name not in BUILT:
        raise UsageError(f"The table of '{name}' is not built here; build {', '.join(BUILT)}, or import a table of it "
                         f"with `harness data import FILE --as {name}`.")
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"The seeds {list(seeds)} cannot be trained; give at least one and each only once.")
    recipe = recipe or Recipe()
    images = load_images(BUILT[name]).sha256
    facts = {"format": FORMAT, "recipe": asdict(recipe), "seeds": list(seeds), "images": images}
    key = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return Plan(name, recipe, tuple(seeds), images, folder or data_home() / "build" / name / key)


def drawn_classes(bench: Benchmark) -> NDArray[np.int64]:
    """int64 [n_class]: every training class, in the order in which uniformly drawn architectures meet them."""
    met = bench.space.training_id[bench.drawing()]
    classes: NDArray[np.int64] = met[first_members(met)].astype(np.int64)
    return classes


def build(name: str = "digits201", classes: int | None = None, seeds: Sequence[int] = (0, 1, 2), jobs: int = 1,
          folder: Path | None = None, report: Callable[[int, int], None] | None = None, recipe: Recipe | None = None,
          target: Path | None = None) -> Table:
    """Train the first `classes` classes drawn (None = all) that are not finished yet, then assemble the table.

    report: called with (classes finished, classes asked for), at the start and after each. jobs: processes, one thread
    each; they change no result. target: see `assemble`. Raises UsageError for a number of classes that there is not.
    """
    made = plan(name, seeds, folder, recipe)
    every = drawn_classes(benchmark(name))
    count = len(every) if classes is None else classes
    if not 1 <= count <= len(every):
        raise UsageError(f"{count} classes of {name} cannot be built; ask for 1 to {len(every)}, which are all.")
    if jobs < 1:
        raise UsageError(f"{jobs} jobs cannot build anything; ask for at least 1.")
    missing = [int(c) for c in every[:count] if not made.path(int(c)).exists()]
    finished = count - len(missing)
    report = report or (lambda done, total: None)
    report(finished, count)
    with parallel_config("loky", n_jobs=min(jobs, max(1, len(missing))), inner_max_num_threads=1):
        for _ in Parallel(return_as="generator_unordered")(delayed(_finish)(made, c) for c in missing):
            finished += 1
            report(finished, count)
    return assemble(made, target)


def assemble(made: Plan, target: Path | None = None) -> Table:
    """The table of all classes finished so far, and beside it NAME.json, which says how it was made.

    target: the file to write, by default in the user's data folder. Raises DataError when nothing is finished yet or a
    finished class cannot be read.
    """
    space = benchmark(made.name).space
    dataset = BUILT[made.name]
    target = target or data_home() / "tables" / f"{made.name}.parquet"
    accuracy = _accuracies(made, space)
    key = TruthKey(made.name, dataset, "test", made.recipe.epochs, "full")
    columns = [NewColumn(f"c_test_{made.recipe.epochs}_s{seed}", key, str(seed), accuracy[:, s])
               for s, seed in enumerate(made.seeds)]
    provenance = _provenance(made, space, accuracy)
    origin = {"source": f"harness data build {made.name}", "key": str(key), "recipe": made.folder.name,
              "images_sha256": made.sha256}
    table = write_table(made.name, target, columns, [origin])
    provenance["table_sha256"] = table.sha256
    write_atomically(target.with_suffix(".json"), (json.dumps(provenance, indent=2) + "\n").encode())
    return table


def _finish(made: Plan, class_id: int) -> None:
    """Train one class and write its file."""
    space, data = benchmark(made.name).space, _data(made.name)
    index = int(np.flatnonzero(space.training_id == class_id)[0])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        accuracy = train_and_test(space, space.codes[index], data, made.recipe, _batches(made))
    finally:
        torch.set_num_threads(threads)
    entry = {"class": class_id, "index": index, "arch": space.strings[index], "seeds": list(made.seeds),
             "accuracy": accuracy.tolist()}
    write_atomically(made.path(class_id), (json.dumps(entry) + "\n").encode())


# Once per process: every class is trained on the same batches.
@cache
def _data(name: str) -> ImageData:
    return load_images(BUILT[name])


@cache
def _batches(made: Plan) -> Batches:
    return training_batches(_data(made.name), made.recipe, made.seeds)


def _accuracies(made: Plan, space: Space) -> NDArray[np.float64]:
    """float64 [n_arch, n_seed], per cent, NaN where the class is not finished."""
    of_class = np.full((int(space.training_id.max()) + 1, len(made.seeds)), np.nan)
    for path in sorted(made.folder.glob("[0-9]*.json")):
        try:
            entry = json.loads(path.read_bytes())
            if made.path(entry["class"]) != path or entry["seeds"] != list(made.seeds):
                raise ValueError("it is of another class or other seeds")
            of_class[entry["class"]] = entry["accuracy"]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"The finished class at {path} cannot be read ({error}); delete the file and build again."
                            ) from error
    if np.isnan(of_class).all():
        raise DataError(f"{made.folder} has no finished class; build some with `harness data build {made.name}`.")
    accuracy: NDArray[np.float64] = of_class[space.training_id]
    return accuracy


def _provenance(made: Plan, space: Space, accuracy: NDArray[np.float64]) -> dict[str, object]:
    """How the table was made and what is known of its noise, ready for JSON."""
    covered = np.asarray(np.isfinite(accuracy).all(axis=1))
    truth = GroundTruth(TruthKey(made.name, BUILT[made.name], "test", made.recipe.epochs, "full"), accuracy,
                        tuple(str(seed) for seed in made.seeds), "", made.name)
    drawn = benchmark(made.name).population("all", truth).members
    scored = drawn[space.connected[drawn]]
    taus = [tau_b(accuracy[scored, a], accuracy[scored, b]) for a, b in combinations(range(len(made.seeds)), 2)]
    limit = ceiling(truth, space, scored)
    mean = truth.mean()[scored]
    data = _data(made.name)
    return {
        "benchmark": made.name, "recipe": asdict(made.recipe), "recipe_hash": made.folder.name,
        "seeds": list(made.seeds),
        "images": {"dataset": data.name, "split": data.split, "sha256": made.sha256, "train": len(data.train),
                   "test": len(data.test), "copies": data.copies, "augmentation": asdict(data.augmentation)},
        "rule": RULE, "order_seed": derive(0, made.name, "order"),
        "classes": len(np.unique(space.training_id[covered])), "architectures": int(covered.sum()),
        "drawn": len(drawn),
        "drawn_connected": {"architectures": len(scored), "mean": _rounded(mean.mean() if len(mean) else np.nan),
                            "sd": _rounded(mean.std() if len(mean) else np.nan),
                            "seed_tau_b": _rounded(np.mean(taus) if taus else np.nan), "ceiling": _rounded(limit.value),
                            "noise_sd_of_mean": _rounded(limit.noise_sd)},
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def _rounded(value: float | np.floating) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
