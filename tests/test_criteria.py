"""The built-in criteria: published counts and taus, the controls, and what becomes of plug-ins that misbehave."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.stats import kendalltau

from benchmarks.cost import Skeleton
from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from criteria import Context, Partition, Scorer, Scores, criteria, partition, score
from criteria.split import Cuts
from harness.store import Held
from harness.testing import check_criterion

CTX = Context(nasbench201(), Skeleton())
# Those that need no network, with the parameters that must be given.
BUILT_IN = {"depth": "", "edge": "", "ensemble": "[of=flops+paths]", "flops": "", "hand_rule": "", "linear": "",
            "metric_tree": "", "none": "", "nonlinear": "", "operations": "[op=nor_conv_3x3+nor_conv_1x1]", "oracle": "",
            "params": "", "paths": "", "published_tree": "", "random": ""}


def truth(n: int = 15625) -> GroundTruth:
    accuracy = np.random.default_rng(3).uniform(10, 95, (n, 2))
    accuracy[:5] = np.nan
    return GroundTruth(TruthKey("made_up", "cifar10", "test", 200, "full"), accuracy, ("0", "1"), "", "made_up")


# ---- counts


@pytest.mark.parametrize(("selector", "k", "sizes"), [
    ("nonlinear", 4, (1983, 7122, 5520, 1000)),
    ("nonlinear", 3, (9105, 5520, 1000)),
    ("nonlinear", 2, (9105, 6520)),
    ("nonlinear[thresholds=0+1]", 3, (1983, 7122, 6520)),
    ("nonlinear[rule=value]", 4, (1983, 7122, 5520, 1000)),
    ("nonlinear[rule=value,count=live]", 7, (1983, 3842, 4272, 3288, 1664, 512, 64)),
    ("nonlinear[rule=value,count=total]", 7, (729, 2916, 4860, 4320, 2160, 576, 64)),
    ("nonlinear[count=total]", 3, (3645, 4860, 7120)),
    ("flops", 3, (5554, 5901, 4170)),
    ("params", 3, (5554, 5901, 4170)),
    ("flops[rule=equal]", 3, (5554, 4686, 5385)),
    ("params[rule=jenks]", 3, (4095, 6145, 5385)),
    ("none", None, (15625,)),
    ("none", 1, (15625,)),
])
def test_golden_sizes(selector: str, k: int | None, sizes: tuple[int, ...]) -> None:
    assert partition(selector, CTX, k).sizes == sizes


def test_nonlinear_merges_are_named() -> None:
    parts = partition("nonlinear", CTX, 3)
    assert parts.names == ("0..1", "2", "3")
    assert parts.rule == Cuts((1.0, 2.0), "merge")
    assert parts.summary == "9,105 / 5,520 / 1,000"


def test_nonlinear_equals_its_definition_on_every_path() -> None:
    space = CTX.space
    ways = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    expected, live = [], []
    for arch in space.strings:
        op = {(int(entry[-1]), target): entry[:-2] for target, node in enumerate(arch.split("+"), start=1)
              for entry in node.strip("|").split("|")}
        open_ways = [way for way in ways if all(op[edge] != "none" for edge in way)]
        expected.append(max((sum("conv" in op[edge] for edge in way) for way in open_ways), default=0))
        live.append(sum("conv" in op[edge] for edge in {edge for way in open_ways for edge in way}))
    assert score("nonlinear", CTX).values.tolist() == expected
    assert score("nonlinear[count=live]", CTX).values.tolist() == live


def test_disconnected_cells_count_zero() -> None:
    dead = ~CTX.space.connected
    assert dead.sum() == 341
    assert (score("nonlinear", CTX).values[dead] == 0).all()
    assert (score("flops[live=true]", CTX).values[dead] == 7783050).all()


def test_costs_follow_the_skeleton() -> None:
    small = replace(CTX, skeleton=Skeleton(channels=4, cells=1, image_size=8, image_channels=1))
    assert score("flops", small).values.max() < score("flops", CTX).values.min()


@pytest.mark.real_data
def test_reference_taus(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "nasbench201.parquet", columns=["c10_test_200_v10"])
    accuracy = table.column(0).to_numpy()
    for selector, tau in (("nonlinear", 0.5647), ("nonlinear[count=live]", 0.6094), ("nonlinear[count=total]", 0.5786),
                          ("params", 0.5764), ("flops", 0.5764), ("flops[live=true]", 0.6528)):
        assert kendalltau(score(selector, CTX).values, accuracy).statistic == pytest.approx(tau, abs=5e-5)
        assert f"{tau:.4f}" in criteria.describe(selector.partition("[")[0]).reference
    labels = {k: partition("nonlinear", CTX, k).label for k in (4, 3, 2)}
    taus = {k: kendalltau(label, accuracy).statistic for k, label in labels.items()}
    assert taus == pytest.approx({4: 0.565, 3: 0.478, 2: 0.475}, abs=5e-4)


# ---- controls


def test_random_has_the_sizes_of_its_model_and_depends_on_the_seed_alone() -> None:
    like = partition("random[like=nonlinear]", CTX, 3)
    assert like.sizes == (9105, 5520, 1000)
    assert like.label.tolist() == partition("random[like=nonlinear]", CTX, 3).label.tolist()
    assert (like.label != partition("random[like=nonlinear]", replace(CTX, seed=1), 3).label).any()
    # by chance alike: the share of equal labels is that of independent draws
    alike = (like.label == partition("nonlinear", CTX, 3).label).mean()
    assert alike == pytest.approx(sum((size / 15625) ** 2 for size in like.sizes), abs=0.02)
    assert partition("random", CTX, 3).sizes == (5209, 5208, 5208)
    assert partition("random[like=none]", CTX).sizes == (15625,)


def test_oracle_uses_the_truth_and_leaves_out_what_it_lacks() -> None:
    seen = replace(CTX, truth=truth())
    parts = partition("oracle", seen, 3)
    mean = truth().mean()
    assert parts.label[:5].tolist() == [-1] * 5
    assert parts.n_unassigned == 5
    assert parts.summary.endswith("(5 in no part)")
    assert mean[parts.members(0)].max() < mean[parts.members(1)].min()
    matched = partition("random[like=oracle]", seen, 3)
    assert (matched.sizes, matched.n_unassigned) == (parts.sizes, 5)
    for selector in ("oracle", "random[like=oracle]"):
        with pytest.raises(UsageError, match=r"a ground truth is needed.*--truth KEY"):
            partition(selector, CTX, 3)


@pytest.mark.parametrize(("selector", "k", "sentence"), [
    ("nonlinear", 5, "declared for k=4, 3 and 2 only; give the cuts"),
    ("nonlinear", 1, "declared for"),
    ("nonlinear[thresholds=1]", 3, "say --k 2"),
    ("nonlinear[rule=equal,thresholds=1+2]", 3, "one of rule, thresholds and sizes"),
    ("flops[sizes=1+1+1,thresholds=1+2]", 3, "one of rule, thresholds and sizes"),
    ("flops[sizes=1+1]", 3, "say --k 2"),
    ("flops[sizes=1+0+1]", 3, "leave a part empty"),
    ("nonlinear[rule=equal]", 5, "only 4 distinct scores"),
    ("flops", 40, "only 28 distinct scores"),
    ("flops[rule=merge]", 3, "declares no merges"),
    ("none", 3, "say --k 1"),
    ("flops", 0, "at least 1, not 0"),
    ("flops", -1, "at least 1"),
    ("flops", None, "needs a number of parts"),
    ("flops", True, "needs a number of parts"),
    ("flops", 2.5, "needs a number of parts"),
])
def test_a_k_that_cannot_be_made(selector: str, k: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as refusal:
        partition(selector, CTX, k)
    assert refusal.value.exit_code == 2
    assert f"'{selector}'" in str(refusal.value)


def test_splitters_have_no_scores() -> None:
    with pytest.raises(UsageError, match="'random' does not score"):
        score("random", CTX)


# ---- conformance


@pytest.mark.parametrize("selector", [
    *(name + given for name, given in BUILT_IN.items()), "nonlinear[count=live]", "nonlinear[count=total]",
    "nonlinear[count=sum]", "flops[live=true]", "params[live=true,rule=equal]", "params[rule=jenks]", "flops[rule=kmeans]",
    "random[like=flops]", "random[like=oracle]", "random[like=metric_tree]", "edge[edge=random]",
    "depth[path=mean,of=convolutions]", "linear[live=true]", "metric_tree[metric=random]",
    "metric_tree[metric=oracle]", "metric_tree[mode=released]",
    "published_tree[dataset=ImageNet16-120,metric=jc]", "ensemble[of=oracle+hand_rule]"])
def test_built_ins_conform(selector: str) -> None:
    check_criterion(selector)


def test_every_built_in_without_a_network_is_tested() -> None:
    assert [name for name in criteria.names() if "network" not in criteria.describe(name).needs] == list(BUILT_IN)


# ---- plug-ins that misbehave


@contextmanager
def registered(cls: type, name: str = "bad") -> Iterator[Any]:
    classes = dict(criteria._classes)
    try:
        yield criteria.register(name)(cls)()
    finally:
        criteria._classes = classes


def scorer(values: Callable[[Context], Any]) -> type:
    @dataclass(frozen=True)
    class Bad(Scorer):
        """A plug-in for a test."""

        def score(self, ctx: Context) -> Scores:
            got = values(ctx)
            return got if not isinstance(got, np.ndarray) else Scores(got, "made up")

    return Bad


def flags(ctx: Context) -> Any:
    ctx.space.codes.setflags(write=True)
    ctx.space.codes[0] = 1
    return np.arange(len(ctx.space))


def live(ctx: Context) -> Any:
    ctx.space.live[:] = False
    return np.arange(len(ctx.space))


@pytest.mark.parametrize(("values", "sentence"), [
    (lambda ctx: 1 / 0, r"test_criteria\.py:\d+\): it raised ZeroDivisionError: division by zero"),
    (lambda ctx: leave(), "it raised SystemExit"),
    (lambda ctx: np.full(len(ctx.space), np.nan), "all scores are NaN"),
    (lambda ctx: np.arange(15624.0), "15624 scores for 15625 architectures"),
    (lambda ctx: np.where(np.arange(15625) == 7, np.inf, 1.0), r"1 scores are infinite .first: architecture 7"),
    (lambda ctx: np.ones((15625, 2)), "must be numbers"),
    (lambda ctx: [1, 2], "score must return Scores, not list"),
    (lambda ctx: ctx.truth.mean(), "AttributeError"),
    (flags, "it changed codes"),
    (live, "it changed live"),
])
def test_the_door_names_a_plug_in_that_fails(values: Callable[[Context], Any], sentence: str) -> None:
    for call in (lambda bad, ctx: partition(bad, ctx, 3), score):
        ctx = Context(replace(CTX.space), Skeleton(), truth=truth())
        with registered(scorer(values)) as bad, pytest.raises(RunError, match=sentence) as failure:
            call(bad, ctx)
        assert "'bad'" in str(failure.value)
        assert failure.value.exit_code == 1
    assert partition("nonlinear", ctx, 3).sizes == (9105, 5520, 1000)  # nothing stays changed
    assert not CTX.space.codes.flags.writeable


def leave() -> None:
    raise SystemExit(0)


@pytest.mark.parametrize(("split", "sentence"), [
    (lambda ctx, k: None, "must return a Partition, not NoneType"),
    (lambda ctx, k: Partition(np.arange(10) % k, ("a", "b", "c"), None), "10 labels for 15625"),
    (lambda ctx, k: Partition(np.arange(15625) % 2, ("a", "b"), None), "made 2 parts where 3"),
    (lambda ctx, k: Partition(np.full(15625, 7), ("a", "b"), None), "must lie in"),
    (lambda ctx, k: Partition(np.zeros(15625, int), ("a", "b", "c"), None), "part 'b' is empty"),
])
def test_the_door_checks_partitions(split: Callable[[Context, int], Any], sentence: str) -> None:
    @dataclass(frozen=True)
    class Bad:
        """A plug-in for a test."""

        needs: ClassVar[frozenset[str]] = frozenset()
        fixed_k: ClassVar[int | None] = None

        def split(self, ctx: Context, k: int) -> Partition:
            return split(ctx, k)  # type: ignore[no-any-return]

    with registered(Bad) as bad, pytest.raises(RunError, match=f"'bad' failed: .*{sentence}"):
        partition(bad, CTX, 3)


def test_the_truth_is_hidden_from_those_who_do_not_ask() -> None:
    seen = []

    def look(ctx: Context) -> Any:
        seen.append(ctx.truth)
        return np.arange(15625)

    with registered(scorer(look)) as nosy:
        partition(nosy, replace(CTX, truth=truth()), 3)
    assert seen == [None]


def test_a_folder_that_another_process_holds_is_told_apart_from_a_failure(tmp_path: Path) -> None:
    def held(ctx: Context) -> Any:
        raise Held(tmp_path / "scores")

    with registered(scorer(held)) as busy, pytest.raises(Held, match="is working on scores;") as caught:
        partition(busy, CTX, 3)
    assert caught.value.folder == tmp_path / "scores"


def test_an_unknown_need_is_refused() -> None:
    @dataclass(frozen=True)
    class Needy(scorer(lambda ctx: np.arange(15625))):  # type: ignore[misc]
        """A plug-in for a test."""

        needs: ClassVar[frozenset[str]] = frozenset({"moon"})

    with registered(Needy) as needy, pytest.raises(UsageError, match="'moon' is needed"):
        partition(needy, CTX, 3)


CALLS = iter(range(10**6))


@pytest.mark.parametrize(("values", "sentence"), [
    (lambda ctx: np.arange(15625), "depends on the order of the architectures"),
    (lambda ctx: np.arange(15625) + float(next(CALLS)), "another partition when it is called again"),
    (lambda ctx: np.where(CTX.space.connected, ctx.space.live.sum(axis=1), -1e8), "looks like a mark"),
    (lambda ctx: ctx.truth.mean() if ctx.truth else ctx.space.live.sum(axis=1), "uses the truth and does not say so"),
    (lambda ctx: np.full(15625, np.nan), "all scores are NaN"),
    (lambda ctx: Scores(ctx.space.live.sum(axis=1), ""), "do not say what they mean"),
])
def test_the_kit_says_what_is_wrong(values: Callable[[Context], Any], sentence: str) -> None:
    with registered(scorer(values)) as bad, pytest.raises(AssertionError, match=sentence):
        check_criterion(bad)


def test_the_kit_looks_at_the_class() -> None:
    @dataclass(frozen=True)
    class Silent(Scorer):
        def score(self, ctx: Context) -> Scores:
            return Scores(ctx.space.live.sum(axis=1), "live edges")

    @dataclass(frozen=True)
    class Listed(Silent):
        """Has a parameter that can change."""

        weights: list[float] = field(default_factory=list)

    for cls, sentence in ((Silent, "no docstring"), (Listed, "weights can change after creation")):
        with registered(cls) as bad, pytest.raises(AssertionError, match=sentence):
            check_criterion(bad)


def test_the_kit_accepts_a_good_plug_in_with_undefined_scores() -> None:
    def values(ctx: Context) -> Any:
        return np.where(ctx.space.connected, ctx.space.live.sum(axis=1), np.nan)

    with registered(scorer(values), "good") as good:
        check_criterion(good)
        parts = partition(good, CTX, 3)
    assert parts.n_unassigned == 341
