"""The first lines of somebody's own criterion and of its test: they work as they are, and one line wants to be edited."""

import keyword
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

from benchmarks.errors import UsageError
from benchmarks.folder import write_atomically
from criteria.registry import criteria

CRITERION = '''\
"""The criterion {name}: what it looks at, and why that should tell good architectures from bad ones."""

from dataclasses import dataclass

from criteria import Context, Scorer, Scores, register


@register("{name}")
@dataclass(frozen=True)
class {cls}(Scorer):
    """Worth of the operations on live edges (say in this line what yours is and where it comes from)."""

    pooling: float = -0.8  # a parameter, which a user sets as './{name}.py:{cls}[pooling=-1]'

    def score(self, ctx: Context) -> Scores:
        """A number for every architecture in the order of ctx.space, higher = better, NaN = undefined."""
        space, live = ctx.space, ctx.space.live_codes  # [n_arch, n_edge]: operations, 'none' on edges that reach no output
        # Edit this line: what each operation is worth.
        worth = {{"skip_connect": 0.3, "nor_conv_1x1": 1.0, "nor_conv_3x3": 1.3, "avg_pool_3x3": self.pooling}}
        values = sum(value * (live == space.op(op)).sum(axis=1) for op, value in worth.items())
        return Scores(values, "worth of the live edges")
'''
TEST = '''\
"""What any criterion has to get right, for {name}."""

from pathlib import Path

from harness.testing import check_criterion


def test_{name}_conforms() -> None:
    check_criterion(f"{{Path(__file__).parent}}/{name}.py:{cls}")
'''


def class_name(name: str) -> str:
    """`my_proxy` -> `MyProxy`."""
    return "".join(word.capitalize() for word in name.split("_"))


def write_criterion(name: str, folder: Path) -> tuple[Path, Path]:
    """Write NAME.py and test_NAME.py.

    Raises UsageError for a bad or taken name and where one of the files is there, RunError when they cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise UsageError(f"'{name}' is no name for a criterion; use words of a-z and 0-9 joined by _, as in my_proxy.")
    files = folder / f"{name}.py", folder / f"test_{name}.py"
    for file in files:
        if file.exists():
            raise UsageError(f"{file} is there and is not overwritten; choose another name or --folder.")
    if name in criteria.names():
        raise UsageError(f"There is a criterion '{name}' ({criteria.origin(name)}); choose another name.")
    if find_spec(name) is not None:
        raise UsageError(f"A file {name}.py would hide the module {name} from whatever runs beside it; choose another name.")
    for file, text in zip(files, (CRITERION, TEST), strict=True):
        write_atomically(file, text.format(name=name, cls=class_name(name)).encode())
    return files


def next_commands(file: Path, test: Path) -> list[str]:
    """What to do with the files of `write_criterion`: its tau, its split beside others, its test."""
    selector = shlex.quote(f"{file if file.is_absolute() else f'./{file}'}:{class_name(file.stem)}")
    return [f"harness score --criterion {selector}", f"harness compare-splits {selector} nonlinear random oracle --k 3",
            f"python -m pytest {shlex.quote(str(test))}"]
