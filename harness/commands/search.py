"""`harness search`."""

from dataclasses import asdict

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness search none-k1-digits201 --method evolution --seeds 5
  harness search 1a2b3c --method exhaustive --flops-limit 0.3 --json
""")
@click.argument("run")
@click.option("--method", default="evolution", show_default=True,
              help="evolution (that of the papers), random (as many), exhaustive (all), or regularised (evolution).")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="So many searches, with seeds from 0.")
@click.option("--flops-limit", type=click.FloatRange(min=0, min_open=True), metavar="M",
              help="Million multiply-adds of the stand-alone network that must not be exceeded.")
@click.option("--key", help="Which estimates, where the run has several: a key of its metrics.")
@json_option
def search(run: str, method: str, seeds: int, flops_limit: float | None, key: str | None, as_json: bool) -> None:
    """Search the space by a run's estimates, and say what the truth thinks of what was found.

    RUN is a folder, a name, or the beginning of either's hash. Every search answers with the best estimate it saw; disconnected
    architectures are never looked at, nor those that no truth at hand knows. No network is asked again.
    """
    from rich.console import Group
    from rich.text import Text

    from harness.measures.tau import number
    from harness.report.summary import MISSING, table, two
    from harness.search.found import judgeable, run_to_search, searches, standing, truths_at_hand, world_of

    record = run_to_search(run, key)
    whole, truths = world_of(record, flops_limit), truths_at_hand(record.spec)
    world = judgeable(whole, truths)
    unknown = len(whole.members) - len(world.members)
    made = searches(world, method, range(seeds), truths)
    standings = {dataset: standing(made, dataset, truth.mean()[world.allowed]) for dataset, truth in truths.items()}
    limit = f" of at most {flops_limit:g} M FLOPs" if flops_limit is not None else ""
    left = f" that a truth knows; {unknown:,} others are left out" if unknown else ""
    title = (f"{method.capitalize()} search by {record.spec.estimator} on {record.spec.estimation.split} images, "
             f"{len(world.members):,} connected architectures{limit}{left}")
    content = {
        "run": str(record.folder), "key": record.key, "method": method, "estimator": record.spec.estimator,
        "images": record.spec.estimation.split, "flops_limit": flops_limit, "allowed": len(world.members), "unknown": unknown,
        "truths": {dataset: str(truth.key) for dataset, truth in truths.items()},
        "found": [{**asdict(each), "string": world.space.strings[each.architecture],
                   "accuracy": {name: number(value) for name, value in each.accuracy.items()}} for each in made],
        "standing": {dataset: {name: number(value) for name, value in asdict(each).items()}
                     for dataset, each in standings.items()}}
    rows = [(world.space.strings[each.architecture], str(each.seed), f"{each.evaluations:,}", two(each.fitness),
             *(two(each.accuracy[dataset]) for dataset in truths)) for each in made]
    stands = [(dataset, f"{two(each.mean)} ± {two(each.std)}", two(each.regret), two(each.random),
               MISSING if each.position is None else f"{each.position:,}")
              for dataset, each in standings.items()]
    answer(as_json, content, Group(
        Text(title, style="bold"), Text(), table(("best estimate", "seed", "looked at", "estimate", *truths), rows), Text(),
        table(("true accuracy", "mean ± std", "regret", "random", "position"), stands),
        Text("regret: best within the constraint minus mean. random: expected best of a random search that trains as many "
             "architectures as were looked at; position: how many it has to train to equal the mean.", style="dim")))
