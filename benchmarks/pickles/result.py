"""One training as the official files keep it, a `ResultsCount` dictionary of whole curves, checked and reduced to its end.

Source: `ResultsCount` of NAS-Bench-201 and NATS-Bench; the sets of each data set: Dong and Yang, ICLR 2020, section 2.2.
"""

from dataclasses import dataclass
from math import fsum, inf, isfinite, nan
from typing import Any

from benchmarks.pickles.record import DATASETS
from benchmarks.pickles.values import REDUCED, shown
from benchmarks.pickles.window import Refused

EPOCHS = (12, 200)
# Name of the set in the file -> ours. The official test sets of CIFAR-100 and ImageNet16-120 are valid and test together.
_HALVES = {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"}
SETS = {"cifar10-valid": {"x-valid": "valid", "ori-test": "test"}, "cifar10": {"ori-test": "test"},
        "cifar100": _HALVES, "ImageNet16-120": _HALVES}
PARTS = ("train", "valid", "test", "valtest")
CURVES = ("train_acc1es", "train_losses", "train_times", "eval_acc1es", "eval_losses", "eval_times")
KEYS = frozenset({"name", "arch_config", "params", "flop", "seed", "epochs", "latency", "eval_names", *CURVES})
# Not needed any more either.
UNUSED = ("train_acc5es", "net_state_dict")
LONGEST_SEED = 5
# All integers below have an equal double.
LARGEST_INTEGER = 2**53
SIZE_SPACE = ("is of the size search space (NATS-sss), whose architectures are no cells",
              "get the topology search space, NATS-tss-v1_0-3ffb9-simple, from https://github.com/D-X-Y/NATS-Bench")


@dataclass(frozen=True, slots=True)
class Result:
    """One training. values: double [15], in the order of `record.FIELDS`; NaN = the file does not have it. arch: its network."""

    dataset: str
    epochs: int
    seed: int
    arch: str | None
    values: tuple[float, ...]


def result(state: dict[Any, Any]) -> Result:
    """The end of one training. Its curves in `state` are emptied.

    Raises Refused for a value that is not finite or out of range, a curve without its last epoch, and names that contradict.
    """
    dataset, epochs = _kind(state)
    where = f"{dataset} at {epochs} epochs"
    last = epochs - 1
    losses, accuracies, times = (_scores(state, key, where) for key in ("eval_losses", "eval_acc1es", "eval_times"))
    values = {"train": (_end(state["train_acc1es"], epochs, 100.0, f"training accuracy of {where}"),
                        _end(state["train_losses"], epochs, inf, f"training loss of {where}"),
                        _total(state["train_times"], epochs, f"training time of {where}"))}
    for name in _evaluated(state, dataset, accuracies, losses, f"@{last}"):
        key, what = f"{name}@{last}", f"{name} of {where}"
        values[SETS[dataset][name]] = (_number(accuracies[key], 100.0, f"accuracy on {what}"),
                                       _number(losses[key], inf, f"loss on {what}"),
                                       _number(times[key], inf, f"time on {what}") if key in times else nan)
    costs = (_number(state["params"], inf, f"parameters of {where}"), _number(state["flop"], inf, f"FLOPs of {where}"),
             _latency(state["latency"], where))
    config = state["arch_config"]
    arch = config.get("arch_str") if type(config) is dict else None
    found = Result(dataset, epochs, _seed(state["seed"]), arch if type(arch) is str else None,
                   tuple(value for part in PARTS for value in values.get(part, (nan, nan, nan))) + costs)
    timed = bool(times)
    for part in (state.get(key) for key in (*CURVES, *UNUSED)):
        if type(part) is dict:
            part.clear()
    if timed:
        # Empty they would say, if another training had them too, that it has none.
        times[REDUCED] = None
    return found


def _kind(state: dict[Any, Any]) -> tuple[str, int]:
    config, dataset, epochs = state["arch_config"], state["name"], state["epochs"]
    if type(config) is dict and "channels" in config:
        raise Refused(*SIZE_SPACE)
    if type(dataset) is not str or dataset not in DATASETS:
        raise Refused(f"holds a training on the data set {shown(dataset)}; there are {', '.join(DATASETS)}")
    if type(epochs) is not int or epochs not in EPOCHS:
        raise Refused(f"holds a training of {shown(epochs)} epochs; there are 12 and 200")
    return dataset, epochs


def _seed(seed: object) -> int:
    """Files write it as text of four digits."""
    if type(seed) is str and seed.isascii() and seed.isdigit() and len(seed) <= LONGEST_SEED:
        return int(seed)
    if type(seed) is int:
        return seed
    raise Refused(f"holds a training with the seed {shown(seed)}")


def _evaluated(state: dict[Any, Any], dataset: str, accuracies: dict[Any, Any], losses: dict[Any, Any], end: str) -> list[str]:
    """The sets that were evaluated; accuracy and loss after the last epoch must be there for exactly those."""
    names = state["eval_names"]
    if type(names) is not list or any(type(name) is not str for name in names) or len(set(names)) != len(names):
        raise Refused(f"holds a training on {dataset} whose evaluation sets are no list of names")
    if not names:
        raise Refused(f"holds a training on {dataset} that was never evaluated")
    for name in names:
        if name not in SETS[dataset]:
            raise Refused(f"holds an evaluation of {dataset} on {shown(name)}; there are {', '.join(SETS[dataset])}")
    for name in SETS[dataset]:
        if not (name in names) == (name + end in accuracies) == (name + end in losses):
            raise Refused(f"lacks the accuracy or the loss of {dataset} on {name} after the last epoch, or its name")
    return names


def _scores(state: dict[Any, Any], key: str, where: str) -> dict[Any, Any]:
    scores = state[key]
    if scores is None:
        return {}
    if type(scores) is not dict:
        raise Refused(f"holds {key} of {where} that are no dictionary")
    if REDUCED in scores:
        raise Refused(f"uses one dictionary as {key} of {where} and of another training")
    return scores


def _curve(curve: object, epochs: int, what: str) -> dict[Any, Any] | None:
    """The dictionary epoch -> value; None where the file has none (v1_0 lacks training times)."""
    if curve is None:
        return None
    if type(curve) is not dict:
        raise Refused(f"holds a {what} that is no curve")
    if len(curve) != epochs or any(epoch not in curve for epoch in range(epochs)):
        raise Refused(f"holds a {what} that is not one value for each of {epochs} epochs")
    return curve


def _end(curve: object, epochs: int, most: float, what: str) -> float:
    values = _curve(curve, epochs, what)
    return nan if values is None else _number(values[epochs - 1], most, what)


def _total(curve: object, epochs: int, what: str) -> float:
    """The sum of a curve, correctly rounded whatever the order."""
    values = _curve(curve, epochs, what)
    return nan if values is None else fsum(_number(value, inf, what) for value in values.values())


def _latency(latency: object, where: str) -> float:
    """The mean of the measured latencies."""
    if latency is None or latency == []:
        return nan
    if type(latency) is not list:
        raise Refused(f"holds a latency of {where} that is no list")
    return fsum(_number(value, inf, f"latency of {where}") for value in latency) / len(latency)


def _number(value: object, most: float, what: str) -> float:
    """A finite number in 0..most."""
    if type(value) is int and abs(value) < LARGEST_INTEGER:
        value = float(value)
    if type(value) is not float:
        raise Refused(f"holds a {what} that is no number")
    if not isfinite(value) or not 0 <= value <= most:
        raise Refused(f"holds a {what} of {value:.6g}, which cannot be")
    return value
