"""Runs that a figure leaves out, and why: in sentences, as what is not shown cannot be seen."""

from collections.abc import Callable, Sequence

from benchmarks.errors import Absent, UsageError
from harness.figures.split import estimates_of, partition_of, truth_of
from harness.runs.collection import Record

# Names of runs in a sentence.
NAMED = 3

Omission = Callable[[Sequence[Record]], list[str]]


def omission(*questions: Callable[[Record], object]) -> Omission:
    """Of runs a sentence for each reason why some cannot answer a question, which then raises Absent or UsageError."""
    def said(records: Sequence[Record]) -> list[str]:
        reasons = dict[str, list[str]]()
        for record in records:
            try:
                for question in questions:
                    question(record)
            except (Absent, UsageError) as error:
                reasons.setdefault(str(error), []).append(record.name)
        return [sentence(names, len(records), why) for why, names in reasons.items()]

    return said


def sentence(names: Sequence[str], number: int, why: str) -> str:
    """That these runs of so many are left out."""
    others = len(names) - NAMED
    listed = ", ".join(names[:NAMED]) + (f" and {others} more" if others > 0 else "")
    return f"Left out {'is' if len(names) == 1 else 'are'} {len(names)} of {number} runs ({listed}): {why}"


def _whole(record: Record) -> None:
    if not partition_of(record)[1]:
        raise UsageError("The parts of all architectures are not known, only those of what was estimated; put partition.parquet "
                         "into the folder of the run.")


def _curves(record: Record) -> None:
    if not any(record.folder.glob("training-*.safetensors")):
        raise UsageError("The curves of the training are not in the folder, files training-*.safetensors.")


NO_TRUTH, NO_PARTS = omission(truth_of), omission(partition_of)
NO_TRUTH_OR_PARTS, NO_TRUTH_OR_ESTIMATES = omission(truth_of, partition_of), omission(truth_of, estimates_of)
NOT_WHOLE, NO_CURVES = omission(_whole), omission(_curves)
