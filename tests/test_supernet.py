"""The engine: equal to the plain network for every operation, every live pattern and every way of batching architectures.

Compared in double precision, where rounding is far below any mistake; once in single precision, which is what runs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference import Reference
from torch import Tensor

from benchmarks.cost import Skeleton, supernet_params
from benchmarks.space import nasbench201
from harness.networks import layers
from harness.networks.layers import norm, pool
from harness.networks.supernet import Supernet

SPACE = nasbench201()
DIGITS, DEEP, COLOUR = Skeleton(4, 1, 10, 8, 1), Skeleton(4, 2, 10, 8, 1), Skeleton(4, 1, 10, 32, 3)
# The pooling's reciprocals are single precision whatever the network is.
EXACT: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}

ALONE = [f"|none~0|+|none~0|none~1|+|{name}~0|none~1|none~2|" for name in SPACE.op_names]
EVERYWHERE = [f"|{op}~0|+|{op}~0|{op}~1|+|{op}~0|{op}~1|{op}~2|" for op in SPACE.op_names]
PATTERNS = [
    # all operations live, with a pooling and a skip that feed convolutions
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|",
    # a node that nothing enters feeds a convolution and a pooling
    "|none~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
    # a node that nothing leaves
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|avg_pool_3x3~0|skip_connect~1|none~2|",
    # one ReLU and one pooling for three edges each
    "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|",
    # twice the same skip
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    # disconnected, with convolutions that lead nowhere
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|",
]
CODES = [SPACE.parse(arch) for arch in ALONE + EVERYWHERE + PATTERNS]
RANDOM = [tuple(code) for code in SPACE.codes[np.random.default_rng(0).choice(len(SPACE), 20, replace=False)].tolist()]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def images(skeleton: Skeleton, batch: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, skeleton.image_channels, skeleton.image_size, skeleton.image_size)
    return torch.randn(shape, generator=generator, dtype=dtype), torch.randint(10, (batch,), generator=generator)


def engine(skeleton: Skeleton, seed: int = 0) -> Supernet:
    return Supernet(SPACE, skeleton, seed).double()


def gradients(network: Supernet | Reference) -> dict[str, Tensor | None]:
    weights = network.weights if isinstance(network, Reference) else dict(network.named_parameters())
    found = {name: None if weight.grad is None else weight.grad.clone() for name, weight in weights.items()}
    network.zero_grad(set_to_none=True)
    return found


def live_weights(code: Sequence[int], cells: int) -> set[str]:
    """The names of the convolutions that a code computes."""
    live = SPACE.live_edges(np.array([code], dtype=np.uint8))[0]
    return {f"cell{position}_edge{edge}_{SPACE.op_names[op]}" for position in range(3 * cells)
            for edge, op in enumerate(code) if live[edge] and SPACE.op_names[op].startswith("nor_conv")}


def hold_together(network: Supernet, code: Sequence[int], batch: int) -> None:
    """Logits, loss gradients, and which weights have one, are those of the plain network."""
    plain = Reference(network)
    pixels, labels = images(network.skeleton, batch)
    logits, expected = network(pixels, [code])[0], plain(pixels, code)
    torch.testing.assert_close(logits, expected, **EXACT)
    F.cross_entropy(logits, labels).backward()
    F.cross_entropy(expected, labels).backward()
    mine, theirs = gradients(network), gradients(plain)
    assert mine.keys() == theirs.keys()
    connected = bool(SPACE.live_edges(np.array([code], dtype=np.uint8)).any())
    fixed = {name for name in mine if not name.startswith("cell")} if connected else {"head_bias"}
    wanted = fixed | live_weights(code, network.skeleton.cells)
    assert {name for name, gradient in mine.items() if gradient is not None} == wanted
    for name, gradient in mine.items():
        other = theirs[name]
        if gradient is not None:
            assert other is not None
            torch.testing.assert_close(gradient, other, **EXACT, msg=lambda text, name=name: f"{name}: {text}")
        elif other is not None:  # computed for nothing by the plain network
            assert not other.any()


@pytest.mark.parametrize("code", CODES, ids=lambda code: "".join(map(str, code)))
def test_the_engine_is_the_plain_network(code: tuple[int, ...]) -> None:
    hold_together(engine(DIGITS), code, 7)


@pytest.mark.parametrize("skeleton", [DIGITS, DEEP, COLOUR], ids=["8x8", "two cells", "32x32"])
def test_the_engine_is_the_plain_network_on_random_cells(skeleton: Skeleton) -> None:
    network = engine(skeleton)
    for code in RANDOM[:20 if skeleton == DIGITS else 6]:
        hold_together(network, code, 5)


def test_in_single_precision_too() -> None:
    network = Supernet(SPACE, COLOUR, 0)
    plain = Reference(network)
    pixels, labels = images(COLOUR, 16, torch.float32)
    for code in (CODES[-6], CODES[-5], RANDOM[0]):
        losses = F.cross_entropy(network(pixels, [code])[0], labels), F.cross_entropy(plain(pixels, code), labels)
        torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)


def test_many_architectures_are_the_same_as_one_by_one() -> None:
    network = Supernet(SPACE, DEEP, 0)
    pixels, _ = images(DEEP, 9, torch.float32)
    codes = CODES + RANDOM
    together = network(pixels, codes)
    assert together.shape == (len(codes), 9, 10)
    assert torch.equal(together, torch.cat([network(pixels, [code]) for code in codes]))
    assert torch.equal(together.flip(0), network(pixels, codes[::-1]))


def test_the_batched_form_is_the_single_one() -> None:
    network = engine(DEEP)
    pixels, labels = images(DEEP, 5)
    codes = [code for code in CODES + RANDOM if SPACE.live_edges(np.array([code], dtype=np.uint8)).any()]
    batched = network._together(pixels, [network._plan(code) for code in codes])
    alone = network(pixels, codes)
    torch.testing.assert_close(batched, alone, **EXACT)
    found = []
    for logits in (batched, alone):
        F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(codes))).backward()
        found.append(gradients(network))
    for name in found[0]:
        one, other = found[0][name], found[1][name]
        assert (one is None) == (other is None), name
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, **EXACT, msg=lambda text, name=name: f"{name}: {text}")


def test_a_disconnected_cell_gives_the_bias() -> None:
    network = Supernet(SPACE, DIGITS, 0)
    pixels, _ = images(DIGITS, 6, torch.float32)
    codes = SPACE.codes[np.flatnonzero(~SPACE.connected)]
    assert len(codes) == 341
    expected = network.head_bias.expand(6, -1)
    assert torch.equal(network(pixels, codes), expected.expand(341, -1, -1))
    assert torch.equal(network._together(pixels, [(), ()]), expected.expand(2, -1, -1))


def test_cells_of_one_function_and_no_others_give_the_same_logits() -> None:
    network = engine(DIGITS)
    pixels, _ = images(DIGITS, 4)
    rng = np.random.default_rng(1)
    # Classes with two cells that are really computed in different ways.
    pairs = []
    for name in rng.permutation(SPACE.function_id.max() + 1):
        members = np.flatnonzero(SPACE.function_id == name)
        different = np.unique(SPACE.live_id[members], return_index=True)[1]
        if len(different) > 1:
            pairs.append(members[rng.choice(different, 2, replace=False)])
        if len(pairs) == 200:
            break
    assert len(pairs) == 200
    with torch.no_grad():
        logits = network(pixels, SPACE.codes[np.concatenate(pairs)]).view(200, 2, -1)
    torch.testing.assert_close(logits[:, 0], logits[:, 1], **EXACT)
    distance = torch.cdist(logits[:, 0], logits[:, 0], p=torch.inf) + torch.eye(200)
    assert float(distance.min()) > 1e-3


def test_pooling_leaves_out_what_is_outside_the_image() -> None:
    for height, width in ((1, 1), (2, 5), (8, 8)):
        x = images(Skeleton(image_size=8), 3, torch.float32)[0][..., :height, :width].requires_grad_()
        expected = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        torch.testing.assert_close(pool(x), expected)
        upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
        mine, theirs = (torch.autograd.grad(y, x, upstream)[0] for y in (pool(x), expected))
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("channels", "expected"), [(16, 1_685_562), (8, 421_666)])
def test_the_paper_s_parameter_counts(channels: int, expected: int) -> None:
    skeleton = Skeleton(channels, 5)
    assert supernet_params(SPACE, skeleton) == expected
    assert sum(weight.numel() for weight in Supernet(SPACE, skeleton, 0).parameters()) == expected


def test_the_seed_decides_the_weights() -> None:
    one, same, other = (Supernet(SPACE, DIGITS, seed).state_dict() for seed in (3, 3, 4))
    assert one.keys() == same.keys() == other.keys()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)
    bound = 1 / (9 * DIGITS.channels) ** 0.5
    weight = one["cell0_edge0_nor_conv_3x3"]
    assert 0.8 * bound < float(weight.abs().max()) <= bound


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    "shape", [(3, 1, 5, 7), (64, 4, 8, 8), (32, 17, 4, 4), (16, 16, 32, 32), (9, 5, 31, 31), (2, 600, 64, 64)])
def test_batch_norm_is_that_of_pytorch_whatever_computes_it(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    given = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3 + 2).contiguous(memory_format=layout)
    kept = given.clone()
    expected = F.batch_norm(given.double(), None, None, training=True).float()
    with torch.no_grad():
        torch.testing.assert_close(norm(given), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm(given.requires_grad_()), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(given.detach(), kept, atol=0, rtol=0)


def test_gradients_of_batch_norm_and_their_gradients_are_those_of_differences() -> None:
    x = torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "MANY_PIXELS", 1)
        small = x.contiguous(memory_format=torch.channels_last).requires_grad_()
        assert "RowsNorm" in norm(small).grad_fn.name()
        assert torch.autograd.gradcheck(norm, (small,))
        assert torch.autograd.gradgradcheck(norm, (small,))
