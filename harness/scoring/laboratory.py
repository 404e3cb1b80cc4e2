"""Where networks are measured for criteria: each function of the space once, in parallel, kept on disk as it goes."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.errors import RunError, UsageError
from benchmarks.seeds import derive
from criteria.mask import Mask
from criteria.matching import GradientMatching
from criteria.network import NetworkScorer
from criteria.registry import criteria
from harness.device import devices, settle
from harness.parallel import Send, spread
from harness.progress import Reporter, silent
from harness.runs.generation import Generation, read_generation
from harness.scoring.probe import Cell, Entrance, Network, batch, kept, kept_entrance, kept_images, kept_trained
from harness.store import Held, read_frame, results_home, slug, sole_writer, wait_for, write_frame
from harness.training.task import Task

# Raised when the code changes what a measurement is.
VERSION = 1
KEY_DIGITS = 12
# A killed process loses at most so much work.
SAVE_SECONDS = 10.0


@dataclass(frozen=True, eq=False)
class Laboratory:
    """Measures architectures for criteria that need a network; see criteria/network.py.

    seed: of weights and batch. parent: the trained supernets that `match` asks. What was measured is kept in `home`
    ($HARNESS_RESULTS/scores), one folder for all that changes a number, so that another sample of architectures goes on with it.
    """

    benchmark: str
    dataset: str
    seed: int = 0
    device: str = "cpu"
    jobs: int = 0
    reporter: Reporter = field(default_factory=silent)
    home: Path = field(default_factory=lambda: results_home() / "scores")
    parent: Generation | None = None

    def measure(self, scorer: NetworkScorer, members: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """float64 [n_arch]: scorer.measure of every connected architecture, or of those of them in `members` [m]; NaN elsewhere.

        Architectures of one function are measured once: with shared weights those that compute the same, with weights of their
        own those with the same live cell. What another process measures is waited for. RunError when a measurement is infinite.
        """
        space = benchmark(self.benchmark).space
        wanted = space.population("connected")
        if members is not None:
            wanted = np.intersect1d(wanted, members)
        same = space.function_id if scorer.weights == "shared" else space.live_id
        first = _first_of_each(same)[same]
        folder = self.home / self._name(scorer)
        about = {"schema": "measurements/1", "key": folder.name}
        with self._held(folder):
            known = _Known(folder / "measurements.parquet", about)
            missing = [int(i) for i in np.unique(first[wanted]) if int(i) not in known.values]
            if missing:
                self._measure(scorer, missing, known)
        values = np.full(len(space), np.nan)
        values[wanted] = [known.values[int(i)] for i in first[wanted]]
        return values

    def match(self, matching: GradientMatching, mask: Mask, edge: int) -> NDArray[np.float64]:
        """float64 [n_op, n_op]: matching.alike of the operations that `mask` allows on `edge`, the mean over its batches.

        Asked is the trained supernet that holds the mask, or, without a parent, one at its initialisation. UsageError when there
        is a parent and no such supernet, or it is of another data set, or the criterion says itself which networks to ask.
        """
        space, ops = benchmark(self.benchmark).space, mask.allowed[edge]
        found = devices(self.device)
        holder = self._holder(matching, mask, found[0])
        folder = self.home / self._name(matching, holder)
        path = folder / f"{mask.text(space, range(len(space.edges))).replace('/', '.')}-{edge}.parquet"
        about = {"schema": "similarities/1", "key": folder.name}
        with self._held(folder):
            if not path.exists():
                asked = Network(self.benchmark, self.dataset, matching.init, matching.channels, matching.cells)
                draws = [_Draw(matching, replace(asked, device=found[i % len(found)]), holder, self.seed, mask, edge, i)
                         for i in range(matching.batches)]
                workers = self.jobs or (cpu_count() if found == ("cpu",) else len(found))
                mean = np.mean(spread(_match, draws, workers, lambda: None), axis=0)
                write_frame(path, {str(op): mean[:, i] for i, op in enumerate(ops)}, about)
            columns, _ = read_frame(path, about)
        return np.stack([columns[str(op)] for op in ops], axis=1)

    @contextmanager
    def _held(self, folder: Path) -> Iterator[None]:
        """Hold a folder of measurements as its sole writer, once no other process does."""
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(sole_writer(folder))
                    break
                except Held:
                    self.reporter.say(f"{folder.name}: waiting for another process that measures it")
                    wait_for(folder)
            yield

    def _holder(self, matching: GradientMatching, mask: Mask, device: str) -> Task | None:
        """The trained supernet that a mask is asked of, where there is one."""
        space = benchmark(self.benchmark).space
        if self.parent is not None:
            matching.check_parent(self.parent.tasks[0].spec.share)
        parent = read_generation(matching.supernet, device) if matching.supernet else self.parent
        if parent is None:
            return None
        holder = parent.holder(np.flatnonzero(mask.holds(space.codes) & space.connected))
        if not holder.weights.exists() or (holder.spec.benchmark, holder.spec.dataset) != (self.benchmark, self.dataset):
            raise UsageError(f"The run {holder.folder.name} has no trained supernet of {self.benchmark} on {self.dataset}; name "
                             "one that was run to its end.")
        return holder

    def _measure(self, scorer: NetworkScorer, missing: Sequence[int], known: "_Known") -> None:
        found = devices(self.device)
        workers = self.jobs or (cpu_count() if found == ("cpu",) else len(found))
        name, total, done = criteria.text(scorer), len(missing), 0

        def receive(index: int, value: float) -> None:
            nonlocal done
            done += 1
            known.add(index, value)
            self.reporter.step(f"measure {name}", done, total)

        # One after another in turn, so that cheap and costly cells are spread evenly.
        asked = Network(self.benchmark, self.dataset, scorer.init, scorer.channels, scorer.cells, scorer.normalised,
                        scorer.double, scorer.absolute)
        shares = [_Share(scorer, replace(asked, device=found[i % len(found)]), self.seed, tuple(missing[i::workers]))
                  for i in range(workers)]
        try:
            spread(_work, [share for share in shares if share.members], workers, receive)
        finally:
            known.save()

    def _name(self, asked: NetworkScorer | GradientMatching, trained: Task | None = None) -> str:
        """`<criterion>-<benchmark>-<dataset>-s0-<12 hex>`; the hex digits are the hash of all that changes a measurement."""
        # How scores are cut, and how often, changes none of them.
        plain: NetworkScorer | GradientMatching
        if isinstance(asked, NetworkScorer):
            plain, noise = replace(asked, rule="quantile", thresholds=(), sizes=()), asked.shown == "noise"
        else:
            plain, noise = replace(asked, levels=1), False
        text = re.sub(r"[^\[\]=+]*\.py:", "", criteria.text(plain))
        facts = (VERSION, text, criteria.source_sha256(plain), self.benchmark, self.dataset,
                 "noise" if noise else kept_images(self.dataset).sha256, self.seed,
                 *((trained.key,) if trained else ()))
        digest = sha256(repr(facts).encode()).hexdigest()[:KEY_DIGITS]
        return f"{slug(text)}-{self.benchmark}-{self.dataset}-s{self.seed}-{digest}"


class _Known:
    """What was measured so far, by index, written every SAVE_SECONDS."""

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        self._path, self._about, self._saved = path, about, time.monotonic()
        self.values: dict[int, float] = {}
        if path.exists():
            columns, _ = read_frame(path, about)
            self.values = dict(zip(columns["index"].tolist(), columns["value"].tolist(), strict=True))

    def add(self, index: int, value: float) -> None:
        self.values[index] = value
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        index = sorted(self.values)
        write_frame(self._path, {"index": np.array(index, dtype=np.int64),
                                 "value": np.array([self.values[i] for i in index], dtype=np.float64)}, self._about)
        self._saved = time.monotonic()


def _first_of_each(same: NDArray[np.int32]) -> NDArray[np.int64]:
    """int64 [n_class]: the first architecture of each class of `same` [n_arch]."""
    first: NDArray[np.int64] = np.unique(same, return_index=True)[1]
    return first


# ---- in a worker


@dataclass(frozen=True, eq=False)
class _Share:
    """What one worker measures."""

    scorer: NetworkScorer
    network: Network
    seed: int
    members: tuple[int, ...]


def _work(share: _Share, send: Send) -> None:
    settle(share.network.device)
    scorer, codes = share.scorer, benchmark(share.network.benchmark).space.codes
    images, labels = shown(scorer, share.network, share.seed)
    for index in share.members:
        values = [float(scorer.measure(Cell(entrance.network, codes[index], entrance), images, labels))
                  for entrance in _entrances(share, index)]
        if np.isinf(values).any():
            raise RunError(f"The criterion '{criteria.text(scorer)}' gives an infinite score for architecture {index}; an "
                           "undefined one must be NaN.")
        send(index, float(np.mean(values)))


def shown(scorer: NetworkScorer, network: Network, seed: int) -> tuple[Tensor, Tensor]:
    """The batch that a criterion asks for, the same for every architecture."""
    images, labels = batch(network.dataset, scorer.batch, seed, network.device, noise=scorer.shown == "noise")
    return images.double() if scorer.double else images, labels


def _entrances(share: _Share, index: int) -> list[Entrance]:
    """To one network for each repeat; those with weights of their own are drawn anew for every architecture."""
    if share.scorer.weights == "shared":
        return [kept_entrance(share.network, derive(share.seed, "probe", repeat)) for repeat in range(share.scorer.repeats)]
    return [Entrance(share.network.drawn(derive(share.seed, "probe", index, repeat))) for repeat in range(share.scorer.repeats)]


@dataclass(frozen=True, eq=False)
class _Draw:
    """One batch of gradient matching."""

    matching: GradientMatching
    network: Network
    trained: Task | None
    seed: int
    mask: Mask
    edge: int
    number: int


def _match(draw: _Draw, send: Send) -> NDArray[np.float64]:
    settle(draw.network.device)
    space, asked = benchmark(draw.network.benchmark).space, draw.matching
    one, device = draw.trained, draw.network.device
    network = kept(draw.network, derive(draw.seed, "probe", 0)) if one is None \
        else kept_trained(one.spec, one.weights, one.key, device)
    images, labels = batch(draw.network.dataset, asked.batch, draw.seed, device, draw.number)
    # Whatever the operation: the same path on the other edges.
    paths = np.flatnonzero(draw.mask.holds(space.codes) & space.connected)
    path = space.codes[np.random.default_rng(derive(draw.seed, "probe", "path", draw.number)).choice(paths)]
    codes = np.repeat(path[None], len(draw.mask.allowed[draw.edge]), axis=0)
    codes[:, draw.edge] = draw.mask.allowed[draw.edge]
    live = np.asarray(space.live_edges(codes))
    subnets = [Cell(network, code) if edges.any() else None for code, edges in zip(codes, live, strict=True)]
    return asked.alike(subnets, draw.edge, images, labels)
