"""The command line. Results go to standard output, everything else to standard error."""

import errno
import sys
from typing import Any

import click

from benchmarks.errors import HarnessError
from harness.commands.attribute import attribute
from harness.commands.compare_splits import compare_splits
from harness.commands.data import data
from harness.commands.diagnose import diagnose
from harness.commands.figure import figure
from harness.commands.list import list_
from harness.commands.measure import measure
from harness.commands.new_criterion import new_criterion
from harness.commands.plan import plan
from harness.commands.report import report
from harness.commands.reproduce import reproduce
from harness.commands.run import run
from harness.commands.score import score
from harness.commands.search import search
from harness.commands.show import show
from harness.commands.submit import submit
from harness.commands.sweep import sweep
from harness.commands.verify import verify

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="split-harness", prog_name="harness")
def harness() -> None:
    """Which criterion should split the search space in few-shot NAS?

    \b
    harness run --criterion nonlinear --k 3              partition, train, estimate, compare with the truth
    harness diagnose --criterion flops --k 3             a partition before any training
    harness compare-splits nonlinear flops random --k 3  several of them side by side
    harness new-criterion my_proxy                       a criterion of your own, which works and wants one line edited
    harness measure estimates.csv --benchmark nasbench201 --dataset cifar10 --truth c10_test_200
    """


for command in (run, search, sweep, plan, attribute, reproduce, list_, show, measure, score, diagnose, compare_splits,
                new_criterion, report, figure, verify, submit, data):
    harness.add_command(command)


def main(args: list[str] | None = None) -> Any:
    """Run one command and end with its exit code: 0 done, 1 the run failed, 2 usage, 3 data, 130 interrupted."""
    try:
        harness.main(args=args, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        fail(sentence(error), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        fail(f"The path {str(error.filename)[:60]}... is longer than this system allows; choose a shorter one, if need be with "
             "HARNESS_DATA or HARNESS_RESULTS.", 1)
    except (KeyboardInterrupt, click.Abort) as stop:
        # click puts its own in the place of the one that may say more.
        said = str(stop.__cause__ or stop) or "run the same command again to go on where it stopped"
        fail(f"Interrupted; {said}.", INTERRUPTED)


def sentence(error: click.ClickException) -> str:
    """What click says, as one sentence that ends with the fix."""
    said = error.format_message().replace(". Did you mean", "; did you mean")
    context = getattr(error, "ctx", None)
    return said if context is None or said.endswith("?") else f"{said.rstrip('.')}; see `{context.command_path} --help`."


def fail(message: str, code: int) -> None:
    """Say one sentence, on one line whatever a plug-in's own error looks like, and end."""
    click.echo(f"Error: {' '.join(message.splitlines())}", err=True)
    sys.exit(code)
