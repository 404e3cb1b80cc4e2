"""`harness search`."""

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
    architectures are never looked at, nor those that no truth at hand knows. No network is asked again. What was found is placed
    on the curve of a random search that trains architectures by themselves, after as many trainings as estimates were looked at
    and after as many as cost, in FLOPs, what the run's training and those estimates did; where a truth has gaps the curve is over
    a uniform sample.
    """
    from harness.report.search import search_json, search_text
    from harness.search.found import run_to_search
    from harness.search.found import search as search_by

    found = search_by(run_to_search(run, key), method, range(seeds), flops_limit)
    answer(as_json, search_json(found), search_text(found))
