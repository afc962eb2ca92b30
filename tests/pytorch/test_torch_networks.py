"""Layers with networks or boxes in them, unpooling, swaps of poolings, transforms."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.autograd import gradcheck

import dpid_cli.torch as layers
from dpid_cli import ArgumentError
from support import oracle
from support.layers import array_of, assert_smooth, images, jittered, sample

BOXES = torch.tensor([[0, 1.0, 0.5, 4.25, 3.5], [1, 0.0, 0.0, 6.0, 5.0]], dtype=torch.float64)


class OfBoxes(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = layers.RoIDetailPreservingPool2d(channels, 2)

    def forward(self, x):
        return self.layer(x, BOXES.to(x.dtype))


LAYERS = {
    "spectral": lambda c: layers.SpectralPool2d(2),
    "LIP": layers.LIPPool2d,
    "lift": layers.LiftPool2d,
    "pyramid": lambda c: layers.SpatialPyramidPool2d((1, 2)),
    "boxes": OfBoxes,
}


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives(name):
    layer = jittered(LAYERS[name](2)).eval()
    assert_smooth(layer, images((2, 2, 5, 6)), second=name not in ("lift",))


@pytest.mark.parametrize("name", LAYERS)
def test_state_and_half_precision(name):
    first, second = LAYERS[name](3), LAYERS[name](3)
    second.load_state_dict(first.state_dict())
    x = images((2, 3, 6, 8), seed=1, dtype=torch.float32)
    torch.testing.assert_close(first.eval()(x), second.eval()(x), rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        result = first.train()(x.bfloat16().requires_grad_())
    assert result.dtype == torch.bfloat16 and torch.isfinite(result).all()
    result.float().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in first.parameters())


@pytest.mark.parametrize("size", [(9, 6), (7, 5), (36, 24), (12, 8)])
def test_spectral_is_the_method_of_the_library(size):
    image, batch = sample((24, 36, 3), "float64", seed=5)
    result = layers.SpectralPool2d(output_size=size[::-1])(batch)
    np.testing.assert_allclose(array_of(result), oracle.spectral(image, size), atol=1e-10)


def test_importance_begins_as_the_average_and_follows_its_network():
    x = images((2, 3, 8, 8))
    average = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    torch.testing.assert_close(layers.LIPPool2d(3).double()(x), average)
    by_value = layers.LIPPool2d(3, 2, None, 0, logits=nn.Identity())
    torch.testing.assert_close(by_value(x), layers.SoftPool2d(2)(x))


@pytest.mark.parametrize("shape", [(8, 10), (7, 9), (5, 8), (1, 1)])
def test_lifting_is_undone_exactly(shape):
    pool = jittered(layers.LiftPool2d(3, return_bands=True))
    x = images((2, 3, *shape), seed=2)
    bands = pool(x)
    assert bands.low_low.shape == (2, 3, -(-shape[0] // 2), -(-shape[1] // 2))
    torch.testing.assert_close(layers.LiftUnPool2d(pool)(bands, shape), x, atol=1e-12, rtol=0)


def test_derivatives_of_undoing():
    pool = jittered(layers.LiftPool2d(2, return_bands=True))
    undo = layers.LiftUnPool2d(pool)
    bands = pool(images((1, 2, 5, 4), seed=3))
    leaves = [band.detach().requires_grad_() for band in bands]
    assert torch.autograd.gradcheck(lambda *values: undo(type(bands)(*values), (5, 4)), leaves)


def test_lifting_without_networks_splits_pixels():
    pool = layers.LiftPool2d(1).double()
    for parameter in pool.parameters():
        nn.init.zeros_(parameter)
    x = images((1, 1, 4, 6))
    bands = pool.bands(x)
    for band, (row, column) in zip(bands, [(0, 0), (1, 0), (0, 1), (1, 1)], strict=True):
        torch.testing.assert_close(band, x[..., row::2, column::2])
    torch.testing.assert_close(pool(x), 4 * F.avg_pool2d(x, 2))


def test_pyramid():
    x = images((2, 3, 9, 12))
    result = layers.SpatialPyramidPool2d()(x)
    assert result.shape == (2, 3 * 21)
    torch.testing.assert_close(result[:, :3], x.amax((2, 3)))
    torch.testing.assert_close(result[:, 3:6], x[..., :5, :6].amax((2, 3))[:, :1].new_tensor(
        [[x[n, 0, :5, :6].max(), x[n, 0, :5, 6:].max(), x[n, 0, 4:, :6].max()] for n in range(2)]
    ))  # fmt: skip


def test_boxes_are_pooled_by_exact_windows():
    """Enlarged four times, boxes on quarters of pixels have whole pixels."""
    x = images((2, 3, 5, 6))
    pool = layers.RoIDetailPreservingPool2d(3, 2).double()
    fine = x.repeat_interleave(4, 2).repeat_interleave(4, 3)
    adaptive = layers.AdaptiveDetailPreservingPool2d(3, 2).double()
    first, second = pool(x, BOXES)
    torch.testing.assert_close(first.unsqueeze(0), adaptive(fine[:1, :, 2:14, 4:17]))
    torch.testing.assert_close(second.unsqueeze(0), adaptive(x[1:]))
    scaled = layers.RoIDetailPreservingPool2d(3, 2, spatial_scale=0.5).double()
    doubled = BOXES * torch.tensor([1, 2, 2, 2, 2])
    torch.testing.assert_close(scaled(x, doubled), pool(x, BOXES))
    beyond = torch.tensor([[0, -5.0, -5.0, 60.0, 50.0]])
    torch.testing.assert_close(pool(x, beyond), adaptive(x[:1]))
    assert pool(x, BOXES[:0]).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("shape", [(8, 10), (7, 9)])
def test_unpooling(shape):
    x = images((1, 2, *shape))
    pooled, mask = layers.AdaPool2d(return_mask=True).double()(x)
    torch.testing.assert_close(mask.sum(0), torch.ones_like(pooled))
    large = layers.AdaUnPool2d()(pooled, mask, shape)
    assert large.shape == x.shape
    torch.testing.assert_close(F.avg_pool2d(large, 2), pooled)
    assert not large[..., pooled.shape[2] * 2 :, :].any()
    flat, even = layers.AdaPool2d(return_mask=True)(torch.full((1, 1, 4, 4), 0.5))
    torch.testing.assert_close(layers.AdaUnPool2d()(flat, even), torch.full((1, 1, 4, 4), 0.5))
    assert gradcheck(
        lambda p, m: layers.AdaUnPool2d()(p, m), (pooled.detach().requires_grad_(), mask.detach())
    )


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(3, 2, 1))
        self.down = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        return self.pool(self.down(self.stem(x))).mean((2, 3))


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (("max", "average"), ["stem.1", "pool"]),
        (("max",), ["stem.1"]),
        (("strided",), ["down"]),
        (("max", "average", "strided"), ["stem.1", "down", "pool"]),
    ],
)
def test_swapping(kinds, names):
    model, x = Residual(), torch.rand(2, 3, 32, 32)
    size = model(x).shape
    model.train()
    swapped = layers.replace_pooling(model, layers.DetailPreservingPool2d, x, kinds=kinds, variant="asym")
    assert swapped == names and model(x).shape == size and model.training
    pools = [module for module in model.modules() if isinstance(module, layers.DetailPreservingPool2d)]
    assert len(pools) == len(names) and all(pool.variant == "asym" for pool in pools)
    assert {pool.channels for pool in pools} <= {4, 6}
    model(x).sum().backward()
    assert all(torch.isfinite(pool.log_lambda.grad).all() for pool in pools)


def test_swapping_keeps_what_the_network_computes():
    """With lambda near 0, detail-preserving pooling is the average."""
    model, x = Residual().eval(), torch.rand(2, 3, 32, 32)
    model.stem[1] = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
    expected = model(x)
    layers.replace_pooling(model, layers.DetailPreservingPool2d, x)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, layers.DetailPreservingPool2d):
                module.log_lambda.fill_(-40)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("shape", [(3, 32, 48), (2, 3, 32, 48)])
def test_transforms(shape, dtype):
    x = (torch.rand(shape) * 255).to(dtype)
    x = x if dtype == torch.uint8 else x / 255
    result = layers.Downscale(4, lambda_=0.5)(x)
    assert result.dtype == dtype and result.shape == (*shape[:-2], 8, 12)
    image = array_of(x if x.ndim == 4 and len(x) == 1 else x.reshape(-1, 3, 32, 48)[:1])
    exact = oracle.downscale(image, (12, 8), "dpid", lambda_=0.5)
    levels = array_of(result.reshape(-1, 3, 8, 12)[:1]).astype(np.float64)
    unit = 255 if dtype == torch.uint8 else 1
    assert np.abs(levels - exact * unit).max() <= (0.501 if unit > 1 else 1e-5)


def test_random_transforms():
    x = torch.rand(3, 32, 48)
    every = [layers.RandomDownscale(2)(x) for _ in range(40)]
    assert {result.shape for result in every} == {(3, 16, 24)}
    assert len({result.sum().item() for result in every}) > 10
    torch.manual_seed(5)
    first = layers.RandomDownscale(2)(x)
    torch.manual_seed(5)
    torch.testing.assert_close(layers.RandomDownscale(2)(x), first, rtol=0, atol=0)
    only = layers.RandomDownscale(2, methods=["dpid"], lambda_=(1.5, 1.5))(x)
    torch.testing.assert_close(only, layers.Downscale(2, lambda_=1.5)(x))
    box = layers.RandomDownscale(2, methods=["box"])(x)
    torch.testing.assert_close(box, F.avg_pool2d(x, 2))


@pytest.mark.parametrize("layer", [layers.DetailPreservingPool2d(4), layers.SoftPool2d(3, 2, 1)])
def test_export(layer):
    x = images((1, 4, 8, 8), dtype=torch.float32)
    exported = torch.export.export(layer.eval(), (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))


SMALL = torch.zeros(1, 1, 4, 4)


def swapped(model: nn.Module, **options):
    return layers.replace_pooling(model, layers.DetailPreservingPool2d, torch.zeros(1, 3, 32, 32), **options)


def test_compile():
    """Into one graph, without a compiler for its code."""
    layer = layers.DetailPreservingPool2d(4, 3, 2, 1)
    x = images((1, 4, 8, 8), dtype=torch.float32)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layers.LiftPool2d(3, 4), "kernel_size must be odd"),
        (lambda: layers.SpectralPool2d(output_size=9)(torch.zeros(1, 1, 8, 9)), "9x9 would enlarge"),
        (lambda: layers.SpatialPyramidPool2d((1, 0)), "levels must be"),
        (lambda: layers.RoIDetailPreservingPool2d(1, 2)(SMALL, torch.zeros(1, 4)), "boxes must have"),
        (lambda: layers.RoIDetailPreservingPool2d(1, 2)(SMALL, torch.tensor([[0, 9, 9, 9, 9]])),
         r"boxes: .* has no part in any image"),
        (lambda: layers.AdaUnPool2d()(SMALL, torch.zeros(4, 1, 1, 3, 3)), "mask must have the shape"),
        (lambda: layers.AdaUnPool2d()(SMALL, torch.zeros(4, *SMALL.shape), (12, 12)), "is not pooled to 4x4"),
        (lambda: swapped(Residual(), kinds=["min"]), "kinds must be max, average or strided"),
        (lambda: swapped(nn.Sequential(nn.MaxPool2d(2, dilation=2))), "0: has dilation"),
        (lambda: layers.RandomDownscale(2, methods=["lanczos"]), "methods must be some of"),
        (lambda: layers.RandomDownscale(2, lambda_=(2.0, 1.0)), "lambda must be"),
        (lambda: layers.Downscale(2)(torch.zeros(4)), "x must be a tensor of shape"),
    ],
)  # fmt: skip
def test_wrong_arguments(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
