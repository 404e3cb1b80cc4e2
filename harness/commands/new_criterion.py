"""`harness new-criterion`."""

from pathlib import Path

import click

from harness.commands.options import answer, json_option


@click.command("new-criterion", epilog="""\b
Examples:
  harness new-criterion my_proxy
  harness new-criterion my_proxy --folder proxies
""")
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to; here by default.")
@json_option
def new_criterion(name: str, folder: Path, as_json: bool) -> None:
    """A criterion of your own: a file that works and wants one line edited, and its test. Nothing is overwritten."""
    from harness.scoring.template import next_commands, write_criterion

    file, test = write_criterion(name, folder)
    commands = next_commands(file, test)
    text = "\n".join((f"Wrote {file} and {test}. Edit the marked line, then:", "", *(f"    {line}" for line in commands)))
    answer(as_json, {"criterion": str(file), "test": str(test), "next": commands}, text)
