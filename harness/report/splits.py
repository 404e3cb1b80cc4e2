"""Several splits side by side as they are printed."""

from rich.console import Group, RenderableType
from rich.text import Text

from harness.report.diagnosis import percentile
from harness.report.summary import MISSING, table, three, two
from harness.splits.rivals import Candidate, Lineup, Refusal

# Sizes of more parts than these are given as a range.
MOST_SIZES = 5
HEADS = ("criterion", "k", "seconds", "sizes", "tau-b of\nlabels", "tau-b of\nscores", "eta2", "percen-\ntile", "top 1 %:\nshare",
         "enrich-\nment", "entropy\n(bits)", "twins apart: by cell\n/ function / training")
MEANING = ("seconds: scoring and splitting; measurements that were kept are only read. In no part: what has no score (where "
           "networks are measured, disconnected architectures and those outside a sample); only the scores' tau-b counts it. "
           "tau-b: of part numbers and of scores (undefined ones last) against the truth; `harness diagnose` has intervals. "
           "eta2: share of the variance of the true accuracies that lies between the parts; percentile: per cent of {draws} "
           "random splits of the same sizes that it exceeds. top 1 %: the largest share of the best 1 % that one part holds, its "
           "enrichment over the part's share of all, and the entropy of all parts' shares. twins apart: architectures whose "
           "twin, of the same cell, function or stand-alone network, lies in another part.")
AGREEMENT = "Agreement, 0 = as by chance: adjusted Rand index above the diagonal, adjusted mutual information below."


def lineup_table(found: Lineup) -> RenderableType:
    """A row for each criterion, the agreement of every two, and what failed and why."""
    title = f"Splits on {found.population} ({len(found.members):,} architectures), truth {found.truth.label}"
    draws = found.candidates[0].null.draws if found.candidates else 0
    stable = any(row.stability.depends is not None for row in found.candidates)
    heads = (*HEADS, "Rand over\nseeds") if stable else HEADS
    rows = [(_row(row) if isinstance(row, Candidate) else (row.criterion, *(MISSING,) * (len(HEADS) - 1)))
            + ((_stability(row),) if stable else ()) for row in found.rows]
    lines: list[RenderableType] = [Text(title, style="bold"), Text(), table(heads, rows)]
    lines += [Text(f"{row.criterion}: not compared. {row.reason}") for row in found.refusals]
    lines += [Text(f"{row.criterion} asked the weights: {row.weights}.") for row in found.candidates if row.weights]
    lines.append(Text(MEANING.format(draws=draws), style="dim"))
    if len(found.candidates) > 1:
        lines += [Text(), _agreements(found), Text(AGREEMENT, style="dim")]
    return Group(*lines)


def sizes(row: Candidate) -> str:
    """The sizes of the parts, a range where there are many, and how many architectures are in none."""
    made = row.partition
    if made.k <= MOST_SIZES:
        return made.summary
    text = f"{min(made.sizes):,} .. {max(made.sizes):,}"
    return f"{text} ({made.n_unassigned:,} in no part)" if made.n_unassigned else text


def _row(row: Candidate) -> tuple[str, ...]:
    own = row.separation
    return (row.criterion, str(row.partition.k), f"{row.seconds:.3f}", sizes(row), three(own.tau), three(row.scores),
            three(own.eta2), percentile(row.null.percentile.eta2), three(own.top_share), two(own.top_enrichment),
            two(own.top_entropy), " / ".join(f"{twins.architectures:,}" for twins in row.twins))


def _stability(row: Candidate | Refusal) -> str:
    if isinstance(row, Refusal) or row.stability.depends is None:
        return MISSING
    return three(row.stability.rand) if row.stability.depends else "1 (no seed)"


def _agreements(found: Lineup) -> RenderableType:
    names = [row.criterion for row in found.candidates]

    def cell(i: int, j: int) -> str:
        if i == j:
            return "1"
        pair = found.agreements[min(i, j), max(i, j)]
        return three(pair.adjusted_rand if i < j else pair.adjusted_information)

    return table(("", *(f"({i + 1})" for i in range(len(names)))),
                 [(f"({i + 1}) {name}", *(cell(i, j) for j in range(len(names)))) for i, name in enumerate(names)])
