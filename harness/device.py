"""Where a run computes, and the process-wide settings that keep it repeatable there."""

import ctypes
import sys

import torch

from benchmarks.errors import UsageError

# glibc's mallopt parameters (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def devices(choice: str) -> tuple[str, ...]:
    """The devices behind --device auto, cpu or cuda; supernet i uses device i mod n. UsageError when there is no such device."""
    if choice not in ("auto", "cpu", "cuda"):
        raise UsageError(f"Unknown device '{choice}'; choose auto, cpu or cuda.")
    if choice == "cuda" and not torch.cuda.is_available():
        raise UsageError("No CUDA device is visible to PyTorch here; use --device cpu, or install a CUDA build of PyTorch.")
    if choice == "cpu" or not torch.cuda.is_available():
        return ("cpu",)
    return tuple(f"cuda:{i}" for i in range(torch.cuda.device_count()))


def settle(device: str) -> None:
    """Settle this process for repeatable work: one thread per supernet on CPUs, full float32 and fixed algorithms on GPUs."""
    if device == "cpu":
        # Two threads gain nothing at these widths, and sums would depend on how many there are.
        torch.set_num_threads(1)
        _keep_freed_memory()
    else:
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


def _keep_freed_memory() -> None:
    """Let malloc keep what a step frees: faulting 2 MB feature maps in again took about 15 % of a training step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_MMAP_THRESHOLD, 32 << 20)
            libc.mallopt(_TRIM_THRESHOLD, 1 << 30)
