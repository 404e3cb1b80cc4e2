"""What searches found: as a table for the eye, and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.text import Text

from harness.measures.tau import number
from harness.report.summary import MISSING, line, scaled, table, two
from harness.search.cost import uncounted_terms
from harness.search.found import Searched, Standing

MEANING = ("regret: best known within the constraint minus mean. random: the expected best of a random search that trains, by "
           "themselves, as many architectures as estimates were looked at (equal looks), or as many as cost what the search did "
           "(equal cost, to the nearest whole number from 1); it picks by the truth itself and pays for one training of each. "
           "position: how many it has to train to equal the mean.")


def search_json(found: Searched) -> dict[str, Any]:
    """One object with every number; what is not known is null."""
    spec = found.record.spec
    return {
        "run": str(found.record.folder), "key": found.record.key, "method": found.method, "estimator": spec.estimator,
        "images": spec.estimation.split, "flops_limit": found.flops_limit, "allowed": len(found.world.members),
        "unknown": found.unknown, "cost": {name: number(value) for name, value in asdict(found.cost).items()},
        "truths": {dataset: str(truth.key) for dataset, truth in found.truths.items()},
        "found": [{**asdict(each), "string": found.world.space.strings[each.architecture],
                   "accuracy": {name: number(value) for name, value in each.accuracy.items()}} for each in found.made],
        "standing": {dataset: {name: number(value) if isinstance(value, float) else value
                               for name, value in asdict(each).items()} for dataset, each in found.standings.items()}}


def search_text(found: Searched) -> Group:
    """What each search found, how they stand by each truth, on which random-search curve, and at what cost."""
    spec, m = found.record.spec, len(found.world.members)
    limit = f" of at most {found.flops_limit:g} M FLOPs" if found.flops_limit is not None else ""
    left = f" that a truth knows; {found.unknown:,} others are left out" if found.unknown else ""
    title = (f"{found.method.capitalize()} search by {spec.estimator} on {spec.estimation.split} images, {m:,} connected "
             f"architectures{limit}{left}")
    rows = [(found.world.space.strings[each.architecture], str(each.seed), f"{each.evaluations:,}", two(each.fitness),
             *(two(each.accuracy[dataset]) for dataset in found.truths)) for each in found.made]
    stands = [(dataset, f"{two(each.mean)} ± {two(each.std)}", two(each.regret), _position(each), f"{each.looks:,}",
               two(each.random_at_looks), _trainings(each.trainings), two(each.random_at_cost))
              for dataset, each in found.standings.items()]
    best = table(("best estimate", "seed", "looked at", "estimate", *found.truths), rows)
    heads = ("true accuracy", "mean ± std", "regret", "position", "equal\nlooks", "random", "equal\ncost", "random")
    return Group(line(title, style="bold"), Text(), best, Text(), table(heads, stands),
                 *(line(each) for each in _about(found)), line(MEANING, style="dim"))


def _about(found: Searched) -> list[str]:
    """For each truth what the random search is over, and what one of its trainings costs; then what the search cost."""
    made = []
    for dataset, each in found.standings.items():
        key = found.truths[dataset].key
        # Of a table with gaps.
        favoured = (", not what was searched, which favours large classes; what more of them would find is not known"
                    if "uniformly" in each.population else "")
        once = (f"one training for {key} costs {scaled(each.training)}FLOPs" if each.training == each.training
                else f"what one training for {key} costs is not known, so equal cost is not either")
        made.append(f"Random search on {dataset}: among {each.population} (n = {each.n:,}){favoured}; {once}.")
    cost, asked = found.cost, found.record.budget
    looks = round(sum(each.evaluations for each in found.made) / len(found.made))
    estimates = (f"{looks:,} estimates {scaled(looks * cost.estimate)}FLOPs" if cost.estimate == cost.estimate
                 else "what an estimate costs is not known, as provenance.json does not say how many images it is made on")
    uncounted = uncounted_terms(found.record.spec.estimator)
    more = f"; what {' and '.join(uncounted)} cost is not counted" if uncounted else ""
    return [*made, f"Cost of the search: training {scaled(cost.training)}FLOPs ({asked.images:,} images), {estimates}{more}."]


def _position(each: Standing) -> str:
    if each.mean != each.mean or not each.n:
        return MISSING
    return f"> {each.n:,}" if each.position is None else f"{each.position:,}"


def _trainings(value: float) -> str:
    if value != value:
        return MISSING
    return "< 0.1" if value < 0.05 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
