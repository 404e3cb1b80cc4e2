"""A diagnosis as it is printed."""

from rich.console import Group, RenderableType
from rich.text import Text

from harness.diagnosis import Diagnosis, Part, Separation
from harness.report.summary import MISSING, interval, table, three, two
from harness.tau import Tau

MEANING = ("tau-b, eta2, rank eta2: Kendall's tau-b, and the share of the variance of the true accuracies (of their ranks) that "
           "lies between the parts. mean .. max: true accuracy of the judged in per cent; best: index of the best one; "
           "top 1 %: how many of the best 1 % lie in the part; enrichment: its share of those over its share of all.")
HEADS = ("part", "size", "con-\nnected", "judged", "mean", "sd", "min", "25 %", "median", "75 %", "max", "best", "top\n1 %",
         "enrich-\nment")


def diagnosis_table(found: Diagnosis) -> RenderableType:
    """The parts with their true accuracies, and what the split says about them beside random splits and the oracle."""
    title = f"{found.criterion}, k = {found.k}, on {found.population} ({found.n:,} architectures), truth {found.truth}"
    parts = table(HEADS, map(_row, found.parts))
    rows = [("scores", _tau(found.scores), "", "")]
    if found.scores is not None and found.scores_finite is not None and found.scores.n > found.scores_finite.n:
        undefined = found.scores.n - found.scores_finite.n
        rows = [("scores, undefined ones ranked last", _tau(found.scores), "", ""),
                (f"scores, without the {undefined:,} undefined", _tau(found.scores_finite), "", "")]
    null = found.null
    rows += [
        ("labels", _tau(found.labels), three(found.separation.eta2), three(found.separation.rank_eta2)),
        (f"{null.draws} random splits of these sizes: mean [5, 95 %]", _spread(null.mean.tau, null.low.tau, null.high.tau),
         _spread(null.mean.eta2, null.low.eta2, null.high.eta2),
         _spread(null.mean.rank_eta2, null.low.rank_eta2, null.high.rank_eta2)),
        ("oracle labels: equal parts by the truth", _tau(found.oracle_labels), *_etas(found.oracle))]
    judged = table(("against the truth", "tau-b [95 % interval]", "eta2", "rank eta2"), rows)
    lines = [Text(MEANING, style="dim")]
    if found.n_unassigned:
        lines.insert(0, Text(f"{found.n_unassigned:,} architectures are in no part; only the scores' tau-b counts them."))
    return Group(Text(title, style="bold"), Text(), parts, Text(), judged, *lines)


def _row(part: Part) -> tuple[str, ...]:
    counts = (f"{part.size:,}", f"{part.connected:,}", f"{part.n:,}")
    spread = map(two, (part.mean, part.sd, part.low, part.q1, part.median, part.q3, part.high))
    return (part.name, *counts, *spread, MISSING if part.best is None else f"#{part.best}", str(part.top), two(part.enrichment))


def _tau(tau: Tau | None) -> str:
    return interval(None if tau is None else tau.to_json())


def _spread(mean: float, low: float, high: float) -> str:
    return f"{three(mean)} [{three(low)}, {three(high)}]"


def _etas(found: Separation | None) -> tuple[str, str]:
    return (MISSING, MISSING) if found is None else (three(found.eta2), three(found.rank_eta2))
