"""Made-up finished runs: folders as a run leaves them, with the numbers that a test wants; nothing is trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.runs.spec import Keys, RunSpec
from harness.store import run_name, write_json

SOURCES = {"images": "1" * 64, "truth": "2" * 64, "criterion": "", "sampler": ""}


def tau(value: float | None, population: str = "all", ceiling: float | None = 0.8, n: int = 100) -> dict[str, Any]:
    return {"value": value, "low": None, "high": None, "n": n, "ties": {"estimates": 0.0, "truth": 0.0}, "ceiling": ceiling,
            "population": population, "variant": "b"}


def measures(value: float | None, population: str = "all") -> dict[str, Any]:
    half = None if value is None else value / 2
    return {"tau": tau(value, population), "tau_finite": tau(value, population), "spearman": value,
            "tau_top": {share: tau(half, population, None, 10) for share in ("0.5", "0.1", "0.05", "0.01")},
            "precision": {"0.01": 0.1, "0.05": 0.1, "0.1": 0.1},
            "regret": {budget: {"mean": 1.0, "worst": 2.0} for budget in ("1", "10", "100")}, "decomposition": None,
            "n_undefined": 0}


def finished(home: Path, value: float | None, populations: tuple[str, ...] = ("all",), sources: dict[str, str] = SOURCES,
             truth: str = "digits201/digits/test/60/full", **fields: Any) -> Path:
    """The folder of a run whose tau-b is `value`; fields are those of its spec, with `passes` of its recipe."""
    passes = fields.pop("passes", 600)
    spec = RunSpec(**fields, truth=truth)
    spec = replace(spec, recipe=replace(spec.recipe, passes=passes))
    keys = Keys.of(spec, sources, frozenset())
    folder = home / run_name(spec, keys)
    write_json(folder / "spec.json", {"schema": "spec/1", "spec": spec.as_dict(), "key": keys.weights})
    write_json(folder / "provenance.json", {"schema": "provenance/1", "data_sha256": sources})
    supernets = spec.supernets(spec.k)
    write_json(folder / f"metrics-{keys.metrics}.json", {
        "schema": "metrics/1", "key": keys.metrics, "run": folder.name, "spec": spec.as_dict(), "truth": f"{truth} (means)",
        "truth_key": truth, "images": "valid", "estimator": spec.estimator, "seed": spec.seed, "parts": [50] * spec.k,
        "part_names": [str(part) for part in range(spec.k)], "population": populations[0], "tau": tau(value),
        "populations": {name: measures(value, name) for name in populations}, "labels": {"criterion": tau(0.1)},
        "budget": {"supernets": supernets, "parameters": 100 * supernets, "passes": passes,
                   "images": passes * spec.recipe.batch, "flops": 1e9 + spec.seed}})
    return folder
