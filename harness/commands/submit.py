"""`harness submit`."""

from pathlib import Path

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness submit nonlinear-k3-digits201
  harness submit results/runs/nonlinear-k3-digits201-digits-s0-a5b2ad5fe757 --out results/published/mine
""")
@click.argument("run")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("results/published"), show_default=True,
              help="The folder that the packed run is put into.")
@json_option
def submit(run: str, out: Path, as_json: bool) -> None:
    """Pack a finished run for a pull request: small files only, checked as `harness verify` does. RUN as for `harness show`.

    Runs that tell a truth which does not come with the harness are refused: those that a criterion, parent or estimator made with
    it, and columns in the order of one that is at hand. Where the run's own is not, the answer says so.
    """
    from rich.console import Group

    from harness.report.summary import line
    from harness.report.verification import verification_table
    from harness.runs.submission import submit as pack
    from harness.store import find_run

    folder, found = pack(find_run(run), out)
    files = sorted(path.name for path in folder.iterdir())
    said = line(f"Packed {', '.join(files)} into {folder}; add that folder to a pull request.")
    answer(as_json, {**found.to_json(), "files": files}, Group(verification_table([found]), said))
