"""What `harness data explain` and `harness data diff` print: plain text, no table."""

from collections.abc import Iterator
from textwrap import fill

from benchmarks.column import ACCURACY
from benchmarks.convert.difference import Comparison, Difference
from benchmarks.convert.explanation import Explanation
from benchmarks.table import MEAN

# More keys than this are counted, not named.
NAMED = 12
WIDTH = 116


def explanation_text(found: Explanation) -> str:
    """A number in words."""
    lines = [f"{found.column} = {found.key}" if found.column else found.key,
             f"  what      {found.what}", f"  from      {found.source}", f"  table     {_table(found)}"]
    if found.trials and found.quantity == ACCURACY:
        each = ", ".join(f"{n} seed{'s' if n > 1 else ''}: {count:,}" for n, count in found.trials)
        said = "" if found.seeds not in ((), (MEAN,)) else " (as documented for the file)"
        lines.append(f"  seeds     architectures with {each}{said}")
    if found.best:
        first, *others = found.best.architectures
        tie = f", tied with {', '.join(str(i) for i in others[:3])}{' ...' if others[3:] else ''}" if others else ""
        lines.append(f"  best      {found.best.accuracy:.4f} %, architecture {first} {found.best.string}{tie}")
    if found.noise_sd is not None and found.ceiling is not None:
        lines.append(f"  noise     {found.noise_sd:.3f} percentage points of a mean (standard deviation), so that even the exact "
                     f"accuracies would reach a tau of {found.ceiling:.3f} only")
    lines += [f"  used by   {user}" for user in found.used_by]
    if found.confusions:
        lines.append("  easily confused with")
        lines += [f"    {c.key}{'' if c.tau is None else f', tau {c.tau:.4f} on {c.n:,} architectures'}: {c.why}"
                  for c in found.confusions]
    return "\n".join(_folded(line) for line in lines)


def difference_text(found: Difference) -> str:
    """Two tables or two numbers, compared."""
    lines = [f"{found.a} and {found.b}" + (" say the same" if found.same else "")]
    for comparison in found.comparisons:
        lines += _comparison(comparison)
    for name, keys in ((found.a, found.only_a), (found.b, found.only_b)):
        if keys:
            lines.append(f"only in {name}: {', '.join(keys[:NAMED])}{f' and {len(keys) - NAMED} more' if keys[NAMED:] else ''}")
    if found.other_columns:
        lines.append(f"columns of losses, times and training images in both: {found.other_columns}, with the same values: "
                     f"{found.other_equal}")
    if not found.comparisons:
        lines.append("no truth key is in both")
    if found.offers:
        lines.append("the same number of other sources:")
        lines += [f"  harness data diff {a} {b}" for a, b in found.offers[:NAMED]]
    return "\n".join(lines)


def _folded(line: str) -> str:
    """A line whose continuation stands under its text, not under its label."""
    label = len(line) - len(line.lstrip())
    indent = " " * (12 if label == 2 else label + 2)
    return fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _table(found: Explanation) -> str:
    if found.table is None:
        return "no table here has it; import its source with `harness data import FILE --as nasbench201`"
    seeds = "means only" if found.seeds == (MEAN,) else f"seeds {', '.join(found.seeds)}"
    return f"{found.table}: {found.architectures:,} architectures, {seeds}"


def _comparison(found: Comparison) -> Iterator[str]:
    name = found.a if found.a == found.b else f"{found.a} and {found.b}"
    tau = "undefined" if found.tau is None else f"{found.tau:.4f}"
    yield f"{name}: tau {tau} on {found.n:,} architectures, {found.equal:,} with the same mean"
    if found.only_a or found.only_b:
        yield f"  architectures that only the first has: {found.only_a:,}, only the second: {found.only_b:,}"
    for side, missing in (("first", found.missing_a), ("second", found.missing_b)):
        if missing:
            yield f"  trials that the {side} lacks: {', '.join(f'seed {seed} of {count:,}' for seed, count in missing)}"
    for gap in found.largest:
        yield f"  {gap.a:.4f} and {gap.b:.4f}: architecture {gap.index} {gap.architecture}"
