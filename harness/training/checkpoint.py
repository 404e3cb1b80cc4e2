"""Tensors on disk: safetensors files that are whole or absent and that notice a flipped byte."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmarks.errors import DataError
from benchmarks.folder import write_atomically

SEAL = "sha256"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write named tensors with words about them; equal content gives equal bytes. RunError when they cannot be written."""
    flat = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    write_atomically(path, _in_order(save(flat, {**about, SEAL: _seal(flat, about)})))


def _in_order(content: bytes) -> bytes:
    """The same safetensors file with its header sorted; the library writes the words in an order drawn anew every time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[end:]


def read_tensors(path: Path, about: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and all words about them; DataError when it is damaged or says other words than `about`."""
    try:
        with safe_open(path, framework="pt") as file:
            words = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}), so it is truncated or damaged; delete it and run the same command "
                        "again to train from the last good stage.") from error
    seal = words.pop(SEAL, "")
    if _seal(tensors, words) != seal:
        raise DataError(f"{path} does not match its own hash, so bytes of it changed after it was written; delete it and run "
                        "the same command again.")
    for name, value in about.items():
        if words.get(name) != value:
            raise DataError(f"{path} belongs to another run ({name} is {words.get(name)!r}, not {value!r}); delete it and "
                            "run the same command again.")
    return tensors, words


def _seal(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    digest = sha256(repr(sorted(about.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
