"""A diagnosis as it is printed."""

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.text import Text

from harness.measures.tau import Tau
from harness.report.summary import MISSING, interval, table, three, two
from harness.splits.diagnosis import Diagnosis
from harness.splits.exposure import PASSES, Exposure
from harness.splits.part import Part, Spread
from harness.splits.separation import Separation

PARTS = ("mean .. max: true accuracy of the judged in per cent; best: index of the best one; top 1 %: how many of the best 1 % "
         "lie in the part; enrichment: its share of those over its share of all. Costs are those of the stand-alone networks.")
MEASURES = ("eta2, rank eta2: share of the variance of the true accuracies (of their ranks) that lies between the parts. "
            "Largest share: of the best 1 %, in one part; its enrichment: over that part's share of all; entropy: of the parts' "
            "shares of the best 1 %. Percentile: per cent of the random splits that the split exceeds.")
PASSED = "Passes: expected, on each edge; the mean over edges, and the operation and edge that are met least."
TWINS = {"cell": "the same cell without dead edges", "function": "the same function of shared weights",
         "training": "the same stand-alone network up to renaming"}
HEADS = ("part", "size", "con-\nnected", "judged", "mean", "sd", "min", "25 %", "median", "75 %", "max", "best", "top\n1 %",
         "enrich-\nment")
# How each field of a separation is called and written.
FIELDS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "tau": ("tau-b of the labels", three), "eta2": ("eta2", three), "rank_eta2": ("rank eta2", three),
    "top_share": ("best 1 %: largest share", three), "top_enrichment": ("  its enrichment", two),
    "top_entropy": ("  entropy of the shares (bits)", three)}
MEGA = 1e6


def diagnosis_table(found: Diagnosis) -> RenderableType:
    """The parts with their accuracies and costs, what the split says beside random splits and the oracle, and what it means for
    training."""
    title = f"{found.criterion}, k = {found.k}, on {found.population} ({found.n:,} architectures), truth {found.truth}"
    lines = [table(HEADS, map(_part, found.parts)), Text(), _costs(found), Text(PARTS, style="dim"), Text(), _taus(found), Text(),
             _separations(found), Text(MEASURES, style="dim"), Text()]
    if found.n_unassigned:
        lines.append(Text(f"{found.n_unassigned:,} architectures are in no part; only the scores' tau-b counts any of them."))
    if found.weights:
        lines.append(Text(f"{found.criterion} asked the weights: {found.weights}."))
    lines += [Text(_stability(found)), Text(), _twins(found), Text(), *(_passes(found, each) for each in found.exposure),
              Text(PASSED, style="dim")]
    return Group(Text(title, style="bold"), Text(), *lines)


def _part(part: Part) -> tuple[str, ...]:
    counts = (f"{part.size:,}", f"{part.connected:,}", f"{part.n:,}")
    spread = map(two, (part.mean, part.sd, part.low, part.q1, part.median, part.q3, part.high))
    return (part.name, *counts, *spread, MISSING if part.best is None else f"#{part.best}", str(part.top), two(part.enrichment))


def _costs(found: Diagnosis) -> RenderableType:
    heads = ("part", *(f"{what} (M)\n{name}" if i == 0 else f"\n{name}" for what in ("FLOPs", "params")
                       for i, name in enumerate(("min", "25 %", "median", "75 %", "max"))))
    return table(heads, ((part.name, *_mega(part.flops), *_mega(part.params)) for part in found.parts))


def _mega(spread: Spread) -> tuple[str, ...]:
    return tuple(MISSING if value != value else f"{value / MEGA:.4g}" for value in vars(spread).values())


def _taus(found: Diagnosis) -> RenderableType:
    rows = [("scores", _tau(found.scores))]
    if found.scores is not None and found.scores_finite is not None and found.scores.n > found.scores_finite.n:
        undefined = found.scores.n - found.scores_finite.n
        rows = [("scores, undefined ones ranked last", _tau(found.scores)),
                (f"scores, without the {undefined:,} undefined", _tau(found.scores_finite))]
    rows += [("labels", _tau(found.labels)), ("oracle labels: equal parts by the truth", _tau(found.oracle_labels))]
    return table(("against the truth", "tau-b [95 % interval]"), rows)


def _separations(found: Diagnosis) -> RenderableType:
    def row(field: str) -> tuple[str, ...]:
        def of(separation: Separation | None) -> float | None:
            return None if separation is None else float(getattr(separation, field))

        name, text = FIELDS[field]
        null = found.null
        return (name, text(of(found.separation)), f"{text(of(null.mean))} [{text(of(null.low))}, {text(of(null.high))}]",
                percentile(of(null.percentile)), text(of(found.oracle)))

    heads = ("", "this split", f"{found.null.draws} random splits of\nthese sizes: mean [5, 95 %]", "per-\ncentile",
             "oracle:\nequal parts")
    return table(heads, map(row, FIELDS))


def percentile(value: float | None) -> str:
    """Where a split falls among random ones: 0 and 100 only where none lies beyond."""
    return MISSING if value is None or value != value else f"{value:.1f}".removesuffix(".0")


def _stability(found: Diagnosis) -> str:
    seeds = found.stability
    if seeds.depends is None:
        return "Stability over seeds: not asked for (--seeds 3)."
    if not seeds.depends:
        return "Stability over seeds: the split does not depend on the seed."
    return (f"Stability over {len(seeds.seeds)} seeds: Rand index {three(seeds.rand)}, adjusted for chance "
            f"{three(seeds.adjusted_rand)} (mean over pairs).")


def _twins(found: Diagnosis) -> RenderableType:
    rows = [(TWINS[twins.equivalence], f"{twins.classes:,}", f"{twins.apart:,}", f"{twins.architectures:,}")
            for twins in found.twins]
    return table(("twins: architectures that are", "classes", "torn\napart", "archi-\ntectures"), rows)


def _passes(found: Diagnosis, exposure: Exposure) -> RenderableType:
    """Expected passes of each operation on an edge, averaged over edges, and the rarest operation on any edge."""
    rows = []
    for name, passes, operations in zip((part.name for part in found.parts), exposure.passes, exposure.operations, strict=True):
        rare = operations.argmin()
        edge, op = divmod(int(rare), len(found.op_names))
        source, target = found.edges[edge]
        where = MISSING if passes != passes else f"{operations.flat[rare]:.1f}: {found.op_names[op]} on {target}<-{source}"
        rows.append((name, *(one(value) for value in (passes, *operations.mean(axis=0))), where))
    heads = (f"of {PASSES:,} passes under {exposure.sampler}", "all", *found.op_names, "fewest")
    return Group(table(heads, rows), Text())


def one(value: float) -> str:
    """One decimal."""
    return MISSING if value != value else f"{value:.1f}"


def _tau(tau: Tau | None) -> str:
    return interval(None if tau is None else tau.to_json())
