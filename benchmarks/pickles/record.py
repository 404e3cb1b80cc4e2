"""What one training of one architecture says, as the confined process hands it over: numbers of fixed size, nothing else."""

from dataclasses import dataclass
from struct import Struct

# Accuracies in per cent, losses in nats, params and flops in millions, train_seconds of the whole training, *_seconds of one
# evaluation after the last epoch, latency in seconds for a batch of 256. Which set is which: `result.SETS`.
FIELDS = ("train_accuracy", "train_loss", "train_seconds",
          "valid_accuracy", "valid_loss", "valid_seconds", "test_accuracy", "test_loss", "test_seconds",
          "valtest_accuracy", "valtest_loss", "valtest_seconds", "params", "flops", "latency")
DATASETS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
RECORD = Struct("<HHHi15d")


@dataclass(frozen=True, slots=True)
class Trial:
    """One training, after its last epoch.

    index: of the architecture, in the official order. epochs: 12 or 200. dataset: position in DATASETS. values: double
    [15], in the order of FIELDS; NaN = the file does not have it.
    """

    index: int
    epochs: int
    dataset: int
    seed: int
    values: tuple[float, ...]

    def pack(self) -> bytes:
        """The record of RECORD.size bytes."""
        return RECORD.pack(self.index, self.epochs, self.dataset, self.seed, *self.values)
