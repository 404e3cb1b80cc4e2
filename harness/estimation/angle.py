"""The angle by which an architecture's weights turned in training, which AngleNet ranks by: no image is looked at.

Source: Hu et al., "Angle-based Search Space Shrinking for Neural Architecture Search", ECCV 2020, and its NAS-Bench-201 code
(megvii-model/AngleNAS). There "before training" is after the first epoch; here it is where training began.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.cost import STAGES, Skeleton
from benchmarks.space import Space
from harness.training.checkpoint import read_tensors
from harness.training.task import Task

# A pooling stands for its kernel: nine equal weights for each channel.
KERNEL = 9


def angles_of(tasks: Sequence[Task], label: NDArray[np.int16]) -> NDArray[np.float64]:
    """float64 [n_arch], radians: each architecture's angle in the supernet of its part; NaN in no part."""
    angle = np.full(len(label), np.nan)
    for task in tasks:
        begin, network = task.begun().state_dict(), task.network()
        mine = [part >= 0 and task.supernet_of(int(part)) == task.supernet for part in label]
        angle[mine] = angles(begin, read_tensors(task.weights, task.about)[0], network.space, network.skeleton)[mine]
    return angle


def angles(begin: Mapping[str, Tensor], end: Mapping[str, Tensor], space: Space, skeleton: Skeleton) -> NDArray[np.float64]:
    """float64 [n_arch], radians, 0..pi: between the weights of each architecture in two states of one supernet.

    Its weights are those outside the cells, and, cell by cell, those along each path from input to output that holds no 'none': a
    convolution's weight, nothing for a skip, the constant kernel of a pooling. An edge on two such paths counts twice. So every
    product is a sum over edges, and all architectures are done at once.
    """
    products = {name: _products(begin[name], end[name]) for name in sorted(begin)}
    outside = np.sum([found for name, found in products.items() if not name.startswith("cell")], axis=0)
    of_op = np.zeros((len(space.edges), len(space.op_names), 3))
    for position in range(STAGES * skeleton.cells):
        width = skeleton.widths[position // skeleton.cells]
        of_op[:, space.op("avg_pool_3x3")] += width * KERNEL * (1 / KERNEL) ** 2
        for edge in range(len(space.edges)):
            for op, name in enumerate(space.op_names):
                of_op[edge, op] += products.get(f"cell{position}_edge{edge}_{name}", 0)
    total = outside + np.zeros((len(space), 3))
    for path in space.paths:
        open_ = (space.codes[:, path] != space.op("none")).all(axis=1, keepdims=True)
        for edge in path:
            total += open_ * of_op[edge, space.codes[:, edge]]
    # The root of the product, not the product of roots: it is exact where both are equal, and then the angle is 0.
    cosine = total[:, 0] / np.sqrt(total[:, 1] * total[:, 2])
    angle: NDArray[np.float64] = np.arccos(np.clip(cosine, -1, 1))
    return angle


def _products(begin: Tensor, end: Tensor) -> NDArray[np.float64]:
    """float64 [3]: begin * end, begin * begin, end * end, each summed."""
    one, other = (weight.detach().double().flatten().numpy() for weight in (begin, end))
    return np.array([(one * other).sum(), (one * one).sum(), (other * other).sum()])
