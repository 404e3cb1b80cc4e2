"""Stand-alone networks and the table they make: the plain network, seeds side by side, resume, shared rows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.benchmark import benchmark
from benchmarks.cost import params
from benchmarks.errors import DataError, UsageError
from benchmarks.images import ImageData, load_images
from benchmarks.space import Space, nasbench201
from benchmarks.truth import load_truth
from harness.training import build as building
from harness.training.build import assemble, build, drawn_classes, plan
from harness.training.standalone import Recipe, StandAlone, accuracies, train, train_and_test, training_batches

SHORT = Recipe(epochs=1)
KEY = "digits201/digits/test/1/full"
# Every operation is live: a pooling and a skip feed convolutions of both kernels.
EVERYTHING = "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|"
DEAD_EDGES = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"
DISCONNECTED = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(scope="module")
def space() -> Space:
    return nasbench201()


@pytest.fixture(scope="module")
def digits() -> ImageData:
    return load_images("digits")


def code_of(space: Space, arch: str) -> NDArray[np.uint8]:
    return np.array(space.parse(arch), dtype=np.uint8)


# ---- an obviously right network, of modules, with every edge computed

def relu_conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(outputs))


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


class Cell(nn.Module):
    def __init__(self, space: Space, code: NDArray[np.uint8], width: int) -> None:
        super().__init__()
        self.space = space
        self.edges = nn.ModuleList()
        for op in code:
            name = space.op_names[op]
            if name.startswith("nor_conv"):
                self.edges.append(relu_conv_norm(width, width, int(name[-1])))
            else:
                self.edges.append({"none": Zero(), "skip_connect": nn.Identity(),
                                   "avg_pool_3x3": nn.AvgPool2d(3, 1, 1, count_include_pad=False)}[name])

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for node in range(1, 4):
            incoming = [self.edges[e](nodes[source]) for e, (source, to) in enumerate(self.space.edges) if to == node]
            nodes.append(torch.stack(incoming).sum(dim=0))
        return nodes[3]


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = relu_conv_norm(inputs, outputs, 3, 2), relu_conv_norm(outputs, outputs, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + self.shortcut(x)


def plain_network(space: Space, code: NDArray[np.uint8], cells: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)]
    for stage in range(3):
        if stage:
            layers.append(Residual(4 << stage - 1, 4 << stage))
        layers += [Cell(space, code, 4 << stage) for _ in range(cells)]
    return nn.Sequential(*layers, nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(16, 10))


def copy_weights(network: StandAlone, plain: nn.Sequential, space: Space, code: NDArray[np.uint8]) -> None:
    """From a network of one seed to the modules, in the order of the layers; dead edges keep weights of their own."""
    position = 0

    def fill(module: nn.Module, name: str) -> None:
        if isinstance(module, nn.Conv2d):
            module.weight.data.copy_(network.parameters[name])
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.copy_(network.parameters[f"{name}_scale"])
            module.bias.data.copy_(network.parameters[f"{name}_shift"])

    fill(plain[0], "stem")
    fill(plain[1], "stem")
    for layer in plain[2:]:
        if isinstance(layer, Residual):
            for name, part in (("first", layer.first), ("second", layer.second), ("shortcut", layer.shortcut)):
                for module in part:
                    fill(module, f"reduce{position}_{name}")
        elif isinstance(layer, Cell):
            for edge in np.flatnonzero(space.live_edges(code[None])[0]):
                for module in layer.edges[edge].modules():
                    fill(module, f"cell{position}_edge{edge}")
            position += 1
    fill(plain[-5], "last")
    plain[-1].weight.data.copy_(network.parameters["head"][0])
    plain[-1].bias.data.copy_(network.parameters["head_bias"][0])


@pytest.mark.parametrize("cells", [1, 2])
@pytest.mark.parametrize("arch", [EVERYTHING, DEAD_EDGES, DISCONNECTED])
def test_it_is_the_plain_network(space: Space, arch: str, cells: int) -> None:
    """Forward in training and in evaluation, the loss's gradients, and the running statistics in between."""
    code = code_of(space, arch)
    network = StandAlone(space, replace(benchmark("digits201").skeleton, cells=cells), code, [3])
    plain = plain_network(space, code, cells)
    copy_weights(network, plain, space, code)
    images = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(32) % 10
    for _ in range(3):
        ours, theirs = network.forward(images, training=True)[:, 0], plain(images)
        assert torch.allclose(ours, theirs, atol=1e-4)
        images = images * 1.5 + 0.2
    nn.functional.cross_entropy(ours, labels).backward()
    nn.functional.cross_entropy(theirs, labels).backward()
    for name, parameter in (("stem", plain[0].weight), ("last_shift", plain[-5].bias)):
        gradient = network.parameters[name].grad
        gradient = torch.zeros_like(parameter) if gradient is None else gradient
        assert torch.allclose(gradient, parameter.grad, atol=1e-4), name
    assert torch.allclose(network.parameters["head"].grad[0], plain[-1].weight.grad, atol=1e-4)
    plain.eval()
    assert torch.allclose(network.forward(images, training=False)[:, 0], plain(images), atol=1e-4)


def test_parameters_are_those_of_the_closed_form(space: Space, digits: ImageData) -> None:
    skeleton = SHORT.skeleton(digits)
    assert skeleton == benchmark("digits201").skeleton_for("digits")
    every = params(space, skeleton, live_only=True)
    for index in (0, 9448, 10821):
        network = StandAlone(space, skeleton, space.codes[index], [0, 1])
        assert sum(parameter.numel() for parameter in network.parameters.values()) == 2 * every[index]


def test_the_default_recipe_is_that_of_the_benchmark() -> None:
    embedded = benchmark("digits201")
    recipe = Recipe()
    assert (recipe.channels, recipe.cells) == (embedded.skeleton.channels, embedded.skeleton.cells)
    assert embedded.truth_for("digits") == f"digits201/digits/test/{recipe.epochs}/full"


# ---- seeds side by side

def test_seeds_together_are_the_seeds_alone(space: Space, digits: ImageData) -> None:
    """The same weights and statistics after four steps, to rounding, which training amplifies soon after."""
    code, skeleton = code_of(space, EVERYTHING), SHORT.skeleton(digits)

    def trained(seeds: list[int]) -> StandAlone:
        network, batches = StandAlone(space, skeleton, code, seeds), training_batches(digits, SHORT, seeds)
        train(network, replace(batches, images=batches.images[:4], labels=batches.labels[:4]), SHORT)
        return network

    together = trained([0, 1, 2])
    for s in range(3):
        alone = trained([s])
        for name, parameter in alone.parameters.items():
            mine = together.parameters[name].detach()
            share = mine[s * len(parameter):(s + 1) * len(parameter)]
            assert torch.allclose(share, parameter.detach(), atol=1e-4), name
        for name, statistics in alone.statistics.items():
            for mine, other in zip(together.statistics[name], statistics, strict=True):
                assert torch.allclose(mine[s * len(other):(s + 1) * len(other)], other, rtol=1e-4, atol=1e-4), name


def test_batches_of_a_seed_do_not_depend_on_the_others(digits: ImageData) -> None:
    both, alone = training_batches(digits, SHORT, [5, 7]), training_batches(digits, SHORT, [7])
    assert both.images.shape == (15, 64, 2, 8, 8)
    assert torch.equal(both.images[:, :, 1:], alone.images)
    assert torch.equal(both.labels[:, :, 1:], alone.labels)
    assert not torch.equal(both.labels[:, :, 0], alone.labels[:, :, 0])


def test_every_image_is_seen_once_an_epoch(digits: ImageData) -> None:
    batches = training_batches(digits, Recipe(epochs=2), [0])
    first, second = batches.labels.view(2, -1)
    assert torch.bincount(first).tolist() == torch.bincount(second).tolist() == [96] * 10
    assert not torch.equal(first, second)


def test_training_learns_and_is_repeatable(space: Space, digits: ImageData) -> None:
    recipe = Recipe(epochs=4)
    batches = training_batches(digits, recipe, [0, 1])
    code = code_of(space, EVERYTHING)
    first = train_and_test(space, code, digits, recipe, batches)
    assert (first > 25).all()
    assert first.tolist() == train_and_test(space, code, digits, recipe, batches).tolist()
    assert first[0] != first[1]


def test_a_disconnected_cell_predicts_one_class(space: Space, digits: ImageData) -> None:
    batches = training_batches(digits, SHORT, [0, 1])
    accuracy = train_and_test(space, code_of(space, DISCONNECTED), digits, SHORT, batches)
    shares = np.bincount(digits.test.labels) * 100 / len(digits.test)
    assert all(np.isclose(value, shares).any() for value in accuracy)


def test_accuracies_do_not_depend_on_the_evaluation_batch(space: Space, digits: ImageData) -> None:
    network = StandAlone(space, SHORT.skeleton(digits), code_of(space, EVERYTHING), [0, 1])
    images = torch.randn(600, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(600) % 10
    halves = [accuracies(network, images[part], labels[part]) for part in (slice(0, 300), slice(300, 600))]
    assert np.allclose(accuracies(network, images, labels), np.mean(halves, axis=0))


# ---- the table

def test_drawn_classes_are_all_classes_once(space: Space) -> None:
    drawn = drawn_classes(benchmark("digits201"))
    assert sorted(drawn.tolist()) == list(range(5260))


def test_a_killed_build_goes_on(monkeypatch: pytest.MonkeyPatch, data_home: Path) -> None:
    """What is finished is not trained again, and the table is that of an uninterrupted build."""
    whole = build(classes=3, seeds=(0, 1), recipe=SHORT, folder=data_home / "whole", target=data_home / "whole.parquet")
    trained = []
    real = building.train_and_test

    def dies_at_the_third(*args: object) -> NDArray[np.float64]:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(1)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(building, "train_and_test", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        build(classes=3, seeds=(0, 1), recipe=SHORT)
    finished = sorted(plan(seeds=(0, 1), recipe=SHORT).folder.iterdir())
    assert len(finished) == 2
    before = [path.stat().st_mtime_ns for path in finished]
    trained.clear()
    seen: list[tuple[int, int]] = []
    table = build(classes=3, seeds=(0, 1), recipe=SHORT, report=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
    assert len(trained) == 1
    assert [path.stat().st_mtime_ns for path in finished] == before
    assert table.sha256 == whole.sha256
    assert [path.read_bytes() for path in sorted((data_home / "whole").iterdir())] == [
        path.read_bytes() for path in sorted(finished[0].parent.iterdir())]


def test_the_number_of_processes_changes_no_byte(data_home: Path) -> None:
    one, two = (build(classes=2, seeds=(0,), jobs=jobs, recipe=SHORT, folder=data_home / f"jobs{jobs}",
                      target=data_home / f"jobs{jobs}.parquet") for jobs in (1, 2))
    assert one.sha256 == two.sha256
    for path in sorted((data_home / "jobs1").iterdir()):
        assert path.read_bytes() == (data_home / "jobs2" / path.name).read_bytes()


def write_class(made: building.Plan, space: Space, class_id: int, accuracy: list[float]) -> None:
    made.folder.mkdir(parents=True, exist_ok=True)
    entry = {"class": class_id, "index": 0, "arch": "", "seeds": list(made.seeds), "accuracy": accuracy}
    made.path(class_id).write_text(json.dumps(entry))


@pytest.fixture
def own_table(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The embedded table out of the way."""
    monkeypatch.setattr("benchmarks.table.EMBEDDED_FOLDER", data_home / "embedded")
    return data_home


@pytest.mark.usefixtures("own_table")
def test_the_table_reads_back(space: Space) -> None:
    """Members of a class share its row, everything else is NaN, and seeds keep their order."""
    made = plan(recipe=SHORT)
    rng = np.random.default_rng(0)
    classes = drawn_classes(benchmark("digits201"))[:40].tolist()
    values = {class_id: (rng.normal(70, 5) + rng.normal(0, 1, 3)).tolist() for class_id in classes}
    for class_id, accuracy in values.items():
        write_class(made, space, class_id, accuracy)
    table = assemble(made)
    assert [column.name for column in table.columns] == ["c_test_1_s0", "c_test_1_s1", "c_test_1_s2"]
    truth = load_truth(KEY, "digits201")
    assert truth.seeds == ("0", "1", "2")
    for index, class_id in enumerate(space.training_id.tolist()):
        if class_id in values:
            assert truth.accuracy[index].tolist() == values[class_id]
    covered = np.isin(space.training_id, classes)
    assert np.isnan(truth.accuracy[~covered]).all()
    provenance = json.loads(table.path.with_suffix(".json").read_text())
    assert provenance["classes"] == 40
    assert provenance["architectures"] == covered.sum()
    assert provenance["drawn"] >= 40
    assert provenance["table_sha256"] == table.sha256
    assert 0.4 < provenance["drawn_connected"]["seed_tau_b"] < provenance["drawn_connected"]["ceiling"] <= 1
    order = benchmark("digits201").drawing()
    assert covered[order[:provenance["drawn"]]].all()
    assert not covered[order[provenance["drawn"]]]


def test_the_folder_depends_on_all_that_changes_a_result() -> None:
    plans = [plan(), plan(seeds=(0, 1)), plan(recipe=SHORT), plan(recipe=Recipe(lr=0.1))]
    assert len({made.folder for made in plans}) == 4
    assert plan() == plans[0]


def test_bad_input_is_refused(space: Space) -> None:
    made = plan(recipe=SHORT)
    for arguments in ({"name": "nasbench201"}, {"classes": 0}, {"classes": 5261}, {"jobs": 0}, {"seeds": (1, 1)}):
        with pytest.raises(UsageError):
            build(**{"recipe": SHORT, **arguments})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no finished class"):
        assemble(made)
    write_class(made, space, 7, [50.0, 51.0, 52.0])
    made.path(7).rename(made.path(8))
    with pytest.raises(DataError, match="another class"):
        assemble(made)
    made.path(8).write_text("{")
    with pytest.raises(DataError, match="delete the file"):
        assemble(made)
