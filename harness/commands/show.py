"""`harness show`."""

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness show nonlinear-k3-digits201
  harness show 1a2b3c --json
""")
@click.argument("run")
@json_option
def show(run: str, as_json: bool) -> None:
    """A run: its numbers, its budget, where they come from. RUN is a folder, a name, or the beginning of either's hash."""
    from rich.console import Group

    from harness.report.summary import summary
    from harness.runs.collection import read_record, spec_of
    from harness.store import find_run, read_json

    folder = find_run(run)
    spec, metrics = spec_of(folder), {}
    for path in sorted(folder.glob("metrics-*.json")):
        read_record(path)  # refuses what no run writes
        metrics[path.name] = read_json(path, "metrics/1")
    took = folder / "provenance.json"
    content = {"run": str(folder), "spec": spec.as_dict(), "metrics": metrics,
               "provenance": read_json(took, "provenance/1") if took.exists() else {}}
    text = Group(*(summary(found, folder) for found in metrics.values())) if metrics else f"{folder} is not finished."
    answer(as_json, content, text)
