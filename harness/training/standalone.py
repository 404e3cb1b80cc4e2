"""Stand-alone networks of the cell space, trained from scratch: what makes the ground truth of an embedded benchmark.

The network is NAS-Bench-201's (Dong and Yang 2020): affine batch-norm with running statistics, PyTorch's default
initialisation, stem, three stages of cells with residual blocks between, batch-norm, ReLU, global pooling, linear.

At the size of the embedded benchmark a step costs calls, not arithmetic. So all seeds of one architecture are trained
at once, side by side in the channels: grouped convolutions, and a batch-norm that is per channel anyway. The seeds
share nothing; together they give, to rounding, what each gives alone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.cost import STAGES, Skeleton
from benchmarks.images import ImageData
from benchmarks.seeds import derive
from benchmarks.space import Space
from harness.networks.layers import EPSILON, pool
from harness.training.augment import augment, evaluation_images, normalise

# The corrupted copies of the test images are the same for every architecture and training seed.
TEST_SEED = derive(0, "standalone", "test")
EVALUATION_BATCH = 512
# Of the running batch-norm statistics: PyTorch's default, which the benchmark's networks use.
STATISTICS_MOMENTUM = 0.1
# Below this side PyTorch's pooling of channels-last maps is faster than box sums.
SMALL_MAP = 4


@dataclass(frozen=True)
class Recipe:
    """How a stand-alone network is built and trained: SGD with Nesterov momentum, its rate a cosine from `lr` to 0.

    channels: of the first stage; cells: per stage; epochs drop the last, incomplete batch.
    """

    channels: int = 4
    cells: int = 1
    epochs: int = 60
    batch: int = 64
    lr: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def skeleton(self, data: ImageData) -> Skeleton:
        """The network around the cell for these images."""
        channels, size = data.train.pixels.shape[1:3]
        return Skeleton(self.channels, self.cells, data.classes, size, channels)


@dataclass(frozen=True, eq=False)
class Batches:
    """Every batch of a training, for all seeds, the same for every architecture: 44 MB for the digits and three seeds.

    images: float32 [step, B, seed * channel, H, W], augmented and normalised; labels: int64 [step, B, seed].
    """

    images: Tensor
    labels: Tensor
    seeds: tuple[int, ...]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images, self.labels, strict=True)


def training_batches(data: ImageData, recipe: Recipe, seeds: Sequence[int]) -> Batches:
    """The batches of each seed in its own order and with its own augmentation, both drawn anew in every epoch."""
    pixels, labels = torch.from_numpy(data.train.pixels), torch.from_numpy(data.train.labels)
    steps = len(labels) // recipe.batch
    images, targets = [], []
    for epoch in range(recipe.epochs):
        of_seed, of_label = [], []
        for seed in seeds:
            rng = np.random.default_rng(derive(seed, "standalone", "order", epoch))
            order = torch.from_numpy(rng.permutation(len(labels))[:steps * recipe.batch])
            corrupted = augment(pixels[order], data.augmentation, derive(seed, "standalone", "augment", epoch))
            of_seed.append(normalise(corrupted, data.mean, data.std))
            of_label.append(labels[order])
        images.append(torch.cat(of_seed, dim=1).view(steps, recipe.batch, -1, *pixels.shape[2:]))
        targets.append(torch.stack(of_label, dim=1).view(steps, recipe.batch, -1))
    return Batches(torch.cat(images), torch.cat(targets), tuple(seeds))


class StandAlone:
    """One architecture with the weights of S seeds side by side: channel s * c + i is channel i of seed s.

    parameters: name -> Tensor; a convolution [S * c, c_in, k, k], a batch-norm's scale and shift [S * c].
    Only live edges are kept, so that all members of a training class are the same network. (In NAS-Bench-201 itself a
    convolution behind a node without input still adds what its batch-norm learns as shift: a constant.)
    """

    def __init__(self, space: Space, skeleton: Skeleton, code: NDArray[np.uint8], seeds: Sequence[int]) -> None:
        self.space, self.skeleton, self.seeds = space, skeleton, tuple(seeds)
        self.parameters: dict[str, Tensor] = {}
        self.statistics: dict[str, tuple[Tensor, Tensor]] = {}
        live = space.live_edges(code[None])[0]
        # The live edges into each node: (source, edge, operation).
        self._terms: dict[int, list[tuple[int, int, str]]] = {}
        for edge in np.flatnonzero(live).tolist():
            source, target = space.edges[edge]
            self._terms.setdefault(target, []).append((source, edge, space.op_names[code[edge]]))

        widths = skeleton.widths
        self._add_conv("stem", skeleton.image_channels, widths[0], 3)
        self._add_norm("stem", widths[0])
        for position in range(STAGES * skeleton.cells):
            width = widths[position // skeleton.cells]
            if position and position % skeleton.cells == 0:
                self._add_conv(f"reduce{position}_first", width // 2, width, 3)
                self._add_conv(f"reduce{position}_second", width, width, 3)
                self._add_conv(f"reduce{position}_shortcut", width // 2, width, 1)
                self._add_norm(f"reduce{position}_first", width)
                self._add_norm(f"reduce{position}_second", width)
            for _, edge, op in (term for terms in self._terms.values() for term in terms):
                if op.startswith("nor_conv"):
                    self._add_conv(f"cell{position}_edge{edge}", width, width, int(op[-1]))
                    self._add_norm(f"cell{position}_edge{edge}", width)
        self._add_norm("last", widths[-1])
        last = widths[-1]
        self.parameters["head"] = self._uniform("head", last, skeleton.classes, last).view(-1, skeleton.classes, last)
        self.parameters["head_bias"] = self._uniform("head_bias", last, skeleton.classes).view(-1, skeleton.classes)
        for parameter in self.parameters.values():
            parameter.requires_grad_()

    def forward(self, images: Tensor, training: bool) -> Tensor:
        """float [B, S, classes]: logits of images [B, S * channels, H, W]; training uses and records batch statistics.

        Otherwise the running statistics normalise, as for the stand-alone networks of the benchmark.
        """
        images = images.contiguous(memory_format=torch.channels_last)
        x = self._norm("stem", self._conv("stem", images), training)
        for position in range(STAGES * self.skeleton.cells):
            if position and position % self.skeleton.cells == 0:
                x = self._reduced(f"reduce{position}", x, training)
            x = self._cell(position, x, training)
        features = F.relu(self._norm("last", x, training)).mean((2, 3)).view(len(images), len(self.seeds), -1)
        return torch.einsum("bsc,skc->bsk", features, self.parameters["head"]) + self.parameters["head_bias"]

    def _cell(self, position: int, x: Tensor, training: bool) -> Tensor:
        if not self._terms:
            return torch.zeros_like(x)
        values, rectified, pooled = {0: x}, dict[int, Tensor](), dict[int, Tensor]()
        for target, terms in self._terms.items():
            total = None
            for source, edge, op in terms:
                if op == "skip_connect":
                    value = values[source]
                elif op == "avg_pool_3x3":
                    if source not in pooled:
                        pooled[source] = _pool(values[source])
                    value = pooled[source]
                else:
                    if source not in rectified:
                        rectified[source] = F.relu(values[source])
                    name = f"cell{position}_edge{edge}"
                    value = self._norm(name, self._conv(name, rectified[source]), training)
                total = value if total is None else total + value
            assert total is not None
            values[target] = total
        return values[self.space.n_node - 1]

    def _reduced(self, name: str, x: Tensor, training: bool) -> Tensor:
        """The residual block of stride 2 at the start of a stage."""
        y = self._norm(f"{name}_first", self._conv(f"{name}_first", F.relu(x), stride=2), training)
        y = self._norm(f"{name}_second", self._conv(f"{name}_second", F.relu(y)), training)
        return y + self._conv(f"{name}_shortcut", F.avg_pool2d(x, 2))

    def _conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.parameters[name]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=len(self.seeds))

    def _norm(self, name: str, x: Tensor, training: bool) -> Tensor:
        mean, variance = self.statistics[name]
        scale, shift = self.parameters[f"{name}_scale"], self.parameters[f"{name}_shift"]
        return F.batch_norm(x, mean, variance, scale, shift, training, STATISTICS_MOMENTUM, EPSILON)

    def _add_conv(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        weight = self._uniform(name, inputs * kernel * kernel, outputs, inputs, kernel, kernel)
        self.parameters[name] = weight.contiguous(memory_format=torch.channels_last)

    def _add_norm(self, name: str, width: int) -> None:
        channels = len(self.seeds) * width
        self.parameters[f"{name}_scale"], self.parameters[f"{name}_shift"] = torch.ones(channels), torch.zeros(channels)
        self.statistics[name] = torch.zeros(channels), torch.ones(channels)

    def _uniform(self, name: str, fan_in: int, *shape: int) -> Tensor:
        """[S * shape[0], ...]: PyTorch's default, uniform within 1/sqrt(fan-in), from a stream per seed and name."""
        streams = (torch.Generator().manual_seed(derive(seed, "standalone", "init", name)) for seed in self.seeds)
        bound = fan_in**-0.5
        return torch.cat([torch.empty(shape).uniform_(-bound, bound, generator=stream) for stream in streams])


def train(network: StandAlone, batches: Batches, recipe: Recipe) -> None:
    """Train in place; the summed loss of the seeds gives each seed exactly the gradients of its own."""
    optimiser = torch.optim.SGD(list(network.parameters.values()), lr=recipe.lr, momentum=recipe.momentum,
                                nesterov=True, weight_decay=recipe.weight_decay, fused=True)
    steps = len(batches.images)
    for step, (images, labels) in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * 0.5 * (1 + math.cos(math.pi * step / steps))
        logits = network.forward(images, training=True)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / len(labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()


@torch.no_grad()
def accuracies(network: StandAlone, images: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """float64 [S], per cent: accuracy of each seed on normalised images [n, channels, H, W] with labels [n]."""
    correct = torch.zeros(len(network.seeds), dtype=torch.int64)
    for part, target in zip(torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True):
        logits = network.forward(part.repeat(1, len(network.seeds), 1, 1), training=False)
        correct += (logits.argmax(dim=2) == target[:, None]).sum(dim=0)
    return correct.numpy() * (100 / len(labels))


def train_and_test(space: Space, code: NDArray[np.uint8], data: ImageData, recipe: Recipe, batches: Batches,
                   ) -> NDArray[np.float64]:
    """float64 [S], per cent: accuracy on the test images of one architecture, trained once per seed of `batches`."""
    network = StandAlone(space, recipe.skeleton(data), code, batches.seeds)
    train(network, batches, recipe)
    return accuracies(network, *evaluation_images(data, "test", TEST_SEED))


def _pool(x: Tensor) -> Tensor:
    if x.shape[-1] > SMALL_MAP:
        return pool(x)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
