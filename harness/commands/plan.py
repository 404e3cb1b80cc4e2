"""`harness plan`."""

from pathlib import Path
from typing import Any

import click

from harness.commands.options import answer, json_option, time_limit_option
from harness.commands.run import fields_of
from harness.commands.sweep import sweep_options, swept


@click.command(epilog="""\b
Examples:
  harness plan --vary share=all,part --vary sampler=uniform,sbs --vary seed=0..4 --budget smoke
  harness plan --config sweep.toml --workers 8 --json
""")
@sweep_options
@time_limit_option
@json_option
def plan(varied: tuple[str, ...], config: Path | None, assignments: tuple[str, ...], device: str, workers: int | None,
         sd: float | None, time_limit: float, as_json: bool, **flags: Any) -> None:
    """What a sweep will cost: passes, FLOPs, parameters, memory, disk, and time for 1 to N workers.

    Takes what `harness sweep` takes, and names the cells that cannot be planned. Runs nothing but some passes of each kind of
    network, whose time is kept for the next plan.
    """
    from harness.experiments.plan import planned
    from harness.experiments.sweeper import suitable
    from harness.progress import Reporter
    from harness.report.plan import plan_lines, plan_table
    from harness.report.sweep import design_lines
    from harness.scoring.world import Machine

    found = swept(varied, config, fields_of(flags, assignments))
    with Reporter() as reporter:
        made = planned(found, Machine(device, time_limit=time_limit), workers or suitable(device), reporter)
        said = [*design_lines(found, sd), *plan_lines(found, made)]
        for line in said:
            reporter.say(line)
    answer(as_json, {**made.to_json(), "said": said}, plan_table(found, made))
