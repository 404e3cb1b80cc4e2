"""Proxies measure what their definitions say: against the plain module-by-module network, where nothing is shared or left out."""

import time
from io import StringIO
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference import Reference
from rich.console import Console
from torch import Tensor, nn

from benchmarks.benchmark import benchmark
from benchmarks.errors import RunError
from benchmarks.space import nasbench201
from criteria import Context, criteria, partition, score
from criteria.matching import GradientMatching
from criteria.network import NetworkScorer
from harness.progress import Reporter
from harness.scoring.laboratory import Laboratory, shown
from harness.scoring.probe import Cell, Entrance, Network, batch
from harness.store import read_frame, sole_writer

SPACE = nasbench201()
# Without dead edges, so that the plain network, which computes all, has no more layers than ours: every operation and all depths.
CODES = [np.array(code, dtype=np.uint8)
         for code in ((3, 3, 2, 1, 4, 3), (2, 1, 3, 4, 3, 2), (1, 3, 4, 3, 2, 1), (4, 2, 2, 3, 3, 3))]


def at(name: str) -> tuple[NetworkScorer, list[tuple[Cell, Reference]], Tensor, Tensor]:
    """A criterion, each of CODES as it is handed over and as a plain network of the same weights, images and labels."""
    scorer = criteria.get(name)
    assert isinstance(scorer, NetworkScorer)
    asked = Network("digits201", "digits", scorer.init, 4, 1, scorer.normalised, scorer.double, scorer.absolute)
    engine = asked.drawn(5)
    images, labels = shown(scorer, asked, 5)
    pairs = [(Cell(engine, code), Reference(engine).to(images.dtype)) for code in CODES]
    return scorer, pairs, images, labels


def used(plain: Reference, code: np.ndarray) -> list[nn.Parameter]:
    """The weights behind the logits, without the classifier's bias."""
    weights = []
    for name, weight in plain.weights.items():
        edge = int(name.split("edge")[1][0]) if "edge" in name else -1
        if name != "head_bias" and (edge < 0 or name.endswith(SPACE.op_names[code[edge]])):
            weights.append(weight)
    return weights


class Hooked:
    """What goes into and comes out of modules of one kind during a plain forward pass."""

    def __init__(self, plain: Reference, kind: type[nn.Module]) -> None:
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        for module in plain.modules():
            if isinstance(module, kind):
                module.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        self.inputs.append(given[0])
        self.outputs.append(out)


def gradients(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    weights = used(plain, code)
    return list(zip(weights, torch.autograd.grad(F.cross_entropy(plain(images, code), labels), weights), strict=True))


def naswot(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    seen = Hooked(plain, nn.ReLU)
    plain(images, code)
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)
    for value in seen.inputs:
        on = (value > 0).flatten(1).double()
        kernel += on @ on.T + (1 - on) @ (1 - on).T
    return float(torch.linalg.slogdet(kernel)[1])


def grad_norm(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    return sum(float(g.norm()) for _, g in gradients(plain, code, images, labels))


def snip(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    return sum(float((w.detach() * g).abs().sum()) for w, g in gradients(plain, code, images, labels))


def l2_norm(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    return sum(float(w.detach().norm()) for w in used(plain, code))


def fisher(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    total = 0.0
    kept: list[tuple[nn.Module, Tensor]] = []
    for module in plain.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda module, given, out: kept.append((module, out)))
    loss = F.cross_entropy(plain(images, code), labels)
    for (module, out), gradient in zip(kept, torch.autograd.grad(loss, [out for _, out in kept]), strict=True):
        effect = (out * gradient).flatten(2).sum(2) if out.dim() == 4 else out * gradient
        per_channel = effect.detach().pow(2).mean(0) / 2
        total += float((per_channel.view(-1, *[1] * (module.weight.dim() - 1)) * torch.ones_like(module.weight)).sum())
    return total


def synflow(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    for block in plain.modules():
        for name, child in block.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(block, name, nn.Identity())
    weights = used(plain, code)
    found = torch.autograd.grad(plain(torch.ones_like(images[:1]), code).sum(), weights)
    return float(np.log(sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, found, strict=True))))


def jacov(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    given = images.clone().requires_grad_()
    rows = torch.autograd.grad(plain(given, code).sum(), given)[0].flatten(1).double().numpy()
    values = np.linalg.eigvalsh(np.corrcoef(rows)).clip(min=0) + 1e-5
    return float(-(np.log(values) + 1 / values).sum())


def isotropy(plain: Reference, code: np.ndarray, images: Tensor, labels: Tensor) -> float:
    kept: list[Tensor] = []
    cells = [cell for stage in plain.stages for cell in stage]
    for module in (plain.stem, *cells, *plain.reductions):
        module.register_forward_hook(lambda module, given, out: kept.append(out))
    plain(images, code)
    total = 0.0
    for value in kept:
        rows = value.detach().permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
        values = np.linalg.eigvalsh(np.cov(rows.T, bias=True)).clip(min=0)
        share = values / values.sum()
        total -= float((share * np.log(share + 1e-8)).sum())
    return total


PLAIN = {made.__name__: made for made in (naswot, grad_norm, snip, l2_norm, fisher, synflow, jacov, isotropy)}


@pytest.mark.parametrize("name", PLAIN)
def test_a_proxy_is_its_definition_on_the_plain_network(name: str) -> None:
    scorer, pairs, images, labels = at(name)
    for cell, plain in pairs:
        expected = PLAIN[name](plain, cell.code, images, labels)
        assert scorer.measure(cell, images, labels) == pytest.approx(expected, rel=2e-3 if name == "jacov" else 2e-4), cell.code


def test_grasp_is_minus_the_weights_times_the_change_of_the_gradient_along_itself() -> None:
    scorer, pairs, images, labels = at("grasp")
    for cell, plain in pairs:
        plain.double()
        found = gradients(plain, cell.code, images.double(), labels)
        step, moved = 1e-7, []  # no ReLU switches on so short a way
        for sign in (1, -1):
            with torch.no_grad():
                for w, g in found:
                    w += sign * step * g
            moved.append([g for _, g in gradients(plain, cell.code, images.double(), labels)])
            with torch.no_grad():
                for w, g in found:
                    w -= sign * step * g
        changes = [(up - down) / (2 * step) for up, down in zip(*moved, strict=True)]
        expected = -sum(float((w.detach() * change).sum()) for (w, _), change in zip(found, changes, strict=True))
        assert scorer.measure(cell, images, labels) == pytest.approx(expected, rel=1e-3)


def test_weights_in_front_of_a_batch_norm_cancel_in_plain() -> None:
    scorer, pairs, images, labels = at("plain")
    for cell, plain in pairs:
        w, g = next((w, g) for w, g in gradients(plain, cell.code, images, labels) if w is plain.head.weight)
        shortcuts = {plain.weights[f"reduce{stage}_shortcut"] for stage in (1, 2)}
        rest = sum(float((w.detach() * g).sum()) for w, g in gradients(plain, cell.code, images, labels) if w in shortcuts)
        assert scorer.measure(cell, images, labels) == pytest.approx(float((w * g).sum()) + rest, abs=1e-4)


def test_a_cell_that_changes_nothing_cannot_be_trained_and_adds_no_entropy() -> None:
    trainability, _, images, labels = at("trainability")
    progressivity, *_ = at("progressivity")
    engine = Network("digits201", "digits", trainability.init, 4, 1).drawn(5)
    identity = Cell(engine, np.array([0, 0, 0, 1, 0, 0], dtype=np.uint8))
    assert np.isnan(trainability.measure(identity, images, labels))
    assert progressivity.measure(identity, images, labels) <= 0


# ---- the laboratory


SAMPLE = np.random.default_rng(1).choice(SPACE.population("all"), 16, replace=False)


def values(home: Path, name: str, jobs: int = 1, seed: int = 0) -> np.ndarray:
    """Scores of SAMPLE on the digits."""
    here = Laboratory("digits201", "digits", seed, jobs=jobs, home=home)
    return score(name, Context(SPACE, benchmark("digits201").skeleton_for("digits"), seed, None, here, SAMPLE)).values


MEASURED = [name for name in criteria.names()
            if "network" in criteria.describe(name).needs and not name.endswith(("_matching", "_in_a_test"))]
LONG = ("knas", "ntk", "te_nas")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in MEASURED])
def test_every_proxy_scores_connected_architectures_and_no_others(name: str, tmp_path: Path) -> None:
    found = values(tmp_path, name)
    connected = np.intersect1d(SAMPLE, SPACE.population("connected"))
    assert np.isnan(np.delete(found, connected)).all()
    assert np.isfinite(found[connected]).mean() > 0.8
    assert len(np.unique(found[connected][np.isfinite(found[connected])])) > 5


def test_workers_and_order_change_nothing_and_a_second_time_nothing_is_measured(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = values(tmp_path / "one", "naswot")
    np.testing.assert_array_equal(values(tmp_path / "two", "naswot", jobs=2), first)
    monkeypatch.setattr("harness.scoring.laboratory._work", None)
    np.testing.assert_array_equal(values(tmp_path / "one", "naswot[rule=equal]"), first)


def test_a_seed_draws_other_weights(tmp_path: Path) -> None:
    one, other = (values(tmp_path, "naswot", seed=seed) for seed in (0, 1))
    both = np.isfinite(one)
    assert (one[both] != other[both]).all()
    assert np.corrcoef(one[both], other[both])[0, 1] > 0.8


def test_what_was_measured_before_a_crash_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = criteria.get("naswot")
    measure, left = type(scorer).measure, 5

    def breaking(self: NetworkScorer, cell: Cell, images: Tensor, labels: Tensor) -> float:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("out of luck")
        return measure(self, cell, images, labels)  # type: ignore[arg-type]

    monkeypatch.setattr(type(scorer), "measure", breaking)
    with pytest.raises(RunError, match=r"'naswot' failed .* ValueError: out of luck"):
        values(tmp_path, "naswot")
    (kept,) = tmp_path.rglob("measurements.parquet")
    columns, _ = read_frame(kept, {"key": kept.parent.name})
    assert len(columns["index"]) == 5
    left = 1000
    values(tmp_path, "naswot")
    functions = len(np.unique(SPACE.function_id[np.intersect1d(SAMPLE, SPACE.population("connected"))]))
    assert 1000 - left == functions - 5


def test_what_another_process_measures_is_waited_for(tmp_path: Path) -> None:
    skeleton, said = benchmark("digits201").skeleton_for("digits"), StringIO()
    here = Laboratory("digits201", "digits", jobs=1, home=tmp_path / "scores", reporter=Reporter(Console(file=said, width=500)))
    ctx, held, done = Context(SPACE, skeleton, 0, None, here, SAMPLE[:2]), Event(), Event()
    score("l2_norm", ctx)
    (folder,) = (tmp_path / "scores").iterdir()

    def hold() -> None:
        with sole_writer(folder):
            held.set()
            time.sleep(0.3)
            done.set()

    other = Thread(target=hold)
    other.start()
    held.wait()
    score("l2_norm", ctx)
    assert done.is_set()
    other.join()
    assert f"{folder.name}: waiting for another process that measures it" in said.getvalue()


def test_an_entrance_is_made_anew_when_images_or_weights_change_in_place() -> None:
    network = Network("digits201", "digits", channels=4, cells=1).drawn(5)
    entrance, (images, _) = Entrance(network), batch("digits", 16, 0, "cpu")
    cell = Cell(network, CODES[0], entrance)
    # The stem and a convolution of the first cell that this cell asks.
    changes = [images.sqrt_, network.stem.sin_, network.get_parameter("cell0_edge0_nor_conv_3x3").sin_]
    with torch.no_grad():
        images.abs_()
        before = cell.logits(images)
        assert entrance(images) is entrance(images)
        for change in changes:
            change()
            after = cell.logits(images)
            assert torch.equal(after, Cell(network, CODES[0]).logits(images))
            assert not torch.equal(after, before)
            before = after
        network.stem.data = network.stem.data.exp()
        assert torch.equal(cell.logits(images), Cell(network, CODES[0]).logits(images))
    with torch.inference_mode():
        assert torch.equal(cell.logits(images * 2), Cell(network, CODES[0]).logits(images * 2))


# ---- gradient matching


def test_gradient_matching_makes_four_balanced_parts_and_keeps_what_it_measured(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Laboratory("digits201", "digits", jobs=1, home=tmp_path)
    ctx = Context(SPACE, benchmark("digits201").skeleton_for("digits"), 0, None, here)
    parts = partition("gradient_matching[batches=3,batch=16]", ctx)
    assert set(parts.sizes) <= {2500, 3750, 5625}
    assert sum(parts.sizes) == len(SPACE)
    monkeypatch.setattr("harness.scoring.laboratory._match", None)
    again = partition("gradient_matching[batches=3,batch=16]", ctx)
    np.testing.assert_array_equal(again.label, parts.label)
    assert again.names == parts.names


def test_alikeness_is_the_cosine_of_gradients_off_the_edge() -> None:
    matching = criteria.get("gradient_matching")
    assert isinstance(matching, GradientMatching)
    engine = Network("digits201", "digits", channels=4, cells=1).drawn(5)
    images, labels = batch("digits", 16, 0, "cpu")
    codes = [np.array([3, op, 2, 1, 3, 3], dtype=np.uint8) for op in (1, 2, 3)]
    alike = matching.alike([*(Cell(engine, code) for code in codes), None], 1, images, labels)
    rows = []
    for code in codes:
        plain = Reference(engine)
        names = {id(weight): name for name, weight in plain.weights.items()}
        F.cross_entropy(plain(images, code), labels).backward()
        kept = [weight for weight in plain.weights.values()
                if names[id(weight)] not in ("stem", "head", "head_bias") and "_edge1_" not in names[id(weight)]]
        rows.append(torch.cat([torch.zeros(w.numel()) if w.grad is None else w.grad.flatten() for w in kept]))
    expected = F.cosine_similarity(torch.stack(rows)[:, None], torch.stack(rows)[None], dim=2).double().numpy()
    np.testing.assert_allclose(alike[:3, :3], expected, atol=1e-5)
    np.testing.assert_array_equal(alike[3], [0, 0, 0, 0])
