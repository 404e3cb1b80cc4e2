"""Which copy of a cell an architecture uses where, when the cells of one supernet exist in copies.

Source: the supernet of EFS-NAS's released NAS-Bench-201 code (`UniformRandomSupernet_decom` of cvlab-yonsei/Few-Shot-NAS). Its
stem, first stage, reductions and head are common to all; at every later cell the nonlinear functions met so far choose the copy.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.cost import STAGES, Skeleton, cell_params
from benchmarks.errors import UsageError
from benchmarks.space import Space
from criteria.base import Context
from criteria.counts import Nonlinear

# The thresholds of the code's longest runs with five cells per stage, by the number of copies. Trained alike, others rank as
# well: of three copies 10 and 20, of two 20. (It has the four copies in the first stage, too.)
RELEASED: dict[int, tuple[int, ...]] = {1: (), 2: (15,), 3: (15, 20), 4: (10, 20, 30)}
RELEASED_CELLS = 5


def default_thresholds(copies: int, cells: int) -> tuple[int, ...]:
    """The released thresholds for so many copies, in proportion to the cells per stage; UsageError where there are none."""
    if copies not in RELEASED:
        raise UsageError(f"No thresholds are published for {copies} copies of a cell; give {copies - 1} ascending counts in "
                         "network.thresholds, as in --set network.thresholds=[15,20], or choose a k of 1 to 4.")
    return tuple(cut * cells // RELEASED_CELLS for cut in RELEASED[copies])


def unmet_params(space: Space, skeleton: Skeleton, thresholds: tuple[int, ...]) -> int:
    """Parameters of those copies of single cells that no architecture ever uses."""
    route, cells = routes(space, skeleton, thresholds), skeleton.cells
    unmet = [position for position in range(cells, STAGES * cells) for copy in range(len(thresholds) + 1)
             if not (route[:, position] == copy).any()]
    return sum(cell_params(space, skeleton.widths[position // cells]) for position in unmet)


def routes(space: Space, skeleton: Skeleton, thresholds: tuple[int, ...]) -> NDArray[np.int8]:
    """int8 [n_arch, n_cell]: the copy that each architecture uses at each cell of the network, 0 in the first stage.

    It is the number of thresholds that lie below the nonlinear functions accumulated over the cells up to and with this one,
    those of the first stage included. A cell's are the convolutions on its richest live path, whatever the run's criterion. So
    cells of one function have one route. UsageError when no architecture ever uses some copy.
    """
    each = Nonlinear(count="path").score(Context(space, skeleton)).values
    met = each[:, None] * np.arange(1, STAGES * skeleton.cells + 1)
    route = np.searchsorted(thresholds, met, side="left").astype(np.int8)
    route[:, : skeleton.cells] = 0
    unused = [copy for copy in range(len(thresholds) + 1) if not (route == copy).any()]
    if unused:
        raise UsageError(f"network.thresholds={list(thresholds)} leave copy {unused[0]} of {len(thresholds) + 1} without any "
                         f"architecture; choose counts below {int(met.max())}, the most nonlinear functions that any meets, "
                         "and not too close to each other.")
    return route
