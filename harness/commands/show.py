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
    from harness.store import find_run, read_json

    folder = find_run(run)
    metrics = {path.name: read_json(path) for path in sorted(folder.glob("metrics-*.json"))}
    provenance = read_json(folder / "provenance.json") if (folder / "provenance.json").exists() else {}
    content = {"run": str(folder), "spec": read_json(folder / "spec.json")["spec"], "metrics": metrics, "provenance": provenance}
    text = Group(*(summary(found, folder) for found in metrics.values())) if metrics else f"{folder} is not finished."
    answer(as_json, content, text)
