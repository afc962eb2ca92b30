"""Kernels of the layers against PyTorch's operations in float64, which other tests compare with equations."""

from __future__ import annotations

import copy
import math

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")

import torch

import dpid_cli.torch as layers
from dpid_cli.torch import fused
from dpid_cli.torch.windows import Pair, Windows

KINDS = {
    "Lite": {},
    "asymmetric": {"variant": "asym"},
    "gaussian": {"guidance": "gaussian"},
    "Full": {"guidance": "learned", "init": "released"},
    "mean": {"normalize": "mean", "init": "released"},
    "sum": {"normalize": "sum", "guidance": "learned", "variant": "asym"},
    "overlapping": {"kernel_size": 3, "stride": 2},
    "oblong": {"kernel_size": (2, 3), "guidance": "learned"},
}


def layer_of(kind: str, channels: int, log_lambda: float = 0.0) -> torch.nn.Module:
    torch.manual_seed(3)
    layer = layers.DetailPreservingPool2d(channels, **KINDS[kind])
    with torch.no_grad():
        layer.log_lambda += log_lambda + 0.3 * torch.randn(channels)
        layer.log_alpha += 0.5 * torch.randn(channels)
    return layer


def derivatives(layer: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The output, and derivatives of a sum over it by the input and all parameters."""
    x = x.detach().requires_grad_()
    output = layer(x)
    weights = torch.linspace(-1, 1, output.numel(), dtype=x.dtype).reshape(output.shape)
    found = torch.autograd.grad((weights * output).sum(), [x, *layer.parameters()])
    return [output.detach(), *found]


def assert_alike(layer: torch.nn.Module, x: torch.Tensor, close: float = 2e-5) -> None:
    expected = derivatives(copy.deepcopy(layer).double(), x.double())
    for got, exact in zip(derivatives(layer, x), expected, strict=True):
        assert got.isfinite().all()
        assert (got - exact).abs().max() <= close * max(1.0, float(exact.abs().max()))


@pytest.fixture
def calls(monkeypatch):
    """How often the kernels are called."""
    counted = []
    means = fused.means
    monkeypatch.setattr(fused, "means", lambda *arguments: counted.append(1) or means(*arguments))
    return counted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (1, 2, 9, 13), (1, 1, 6, 1030)])
def test_equal_to_float64(kind, shape, calls):
    assert_alike(layer_of(kind, shape[1]), torch.randn(shape, generator=torch.Generator().manual_seed(1)))
    assert len(calls) == 1  # of two, the one in float32


@pytest.mark.parametrize("kind", ["Lite", "asymmetric", "mean"])
@pytest.mark.parametrize("size", [1e-12, 1e-3, 30.0, 1e8])
@pytest.mark.parametrize("log_lambda", [-20.0, 3.0])
def test_extremes(kind, size, log_lambda):
    """Of sizes and of lambda: derivatives then are tiny or steep, outputs are exact."""
    layer = layer_of(kind, 2, log_lambda)
    x = size * torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    expected = copy.deepcopy(layer).double()(x.double())
    assert (layer(x) - expected).abs().max() <= 2e-4 * size
    assert all(part.isfinite().all() for part in derivatives(layer, x))


def test_equal_numbers():
    layer = layers.DetailPreservingPool2d(2)
    assert torch.equal(layer(torch.full((1, 2, 4, 4), 0.7)), torch.full((1, 2, 2, 2), 0.7))


def test_memory_layouts():
    layer = layer_of("Lite", 6)
    x = torch.randn(2, 6, 8, 10)
    expected = derivatives(layer, x)
    sparse = torch.randn(2, 12, 8, 10)
    sparse[:, ::2] = x
    for layout in (x.to(memory_format=torch.channels_last), sparse[:, ::2]):
        for got, same in zip(derivatives(layer, layout), expected, strict=True):
            torch.testing.assert_close(got, same, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["Lite", "Full"])
def test_threads_change_nothing(kind):
    layer, x = layer_of(kind, 5), torch.randn(3, 5, 16, 16)
    reward, windows = layer.reward(x), Windows.strided(x, *[Pair(2, 2)] * 2, Pair(0, 0), ceil_mode=False)
    guide = None if kind == "Lite" else windows.means(x) / 2
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            leaf = x.clone().requires_grad_()
            output = fused.means(reward, leaf, windows, guide)
            found = torch.autograd.grad(
                output.square().sum(), [leaf, *layer.parameters()][:3], retain_graph=True
            )
            results.append([output, *found])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_random_rows_and_columns(calls):
    layer = layers.S3DetailPreservingPool2d(3)
    x = torch.randn(2, 3, 9, 12)

    def drawn(kind: torch.dtype) -> list[torch.Tensor]:
        torch.manual_seed(5)
        return derivatives(copy.deepcopy(layer).to(kind), x.to(kind))

    for got, exact in zip(drawn(torch.float32), drawn(torch.float64), strict=True):
        torch.testing.assert_close(got.double(), exact, rtol=1e-4, atol=1e-5)
    assert calls


@pytest.mark.parametrize("kind", ["Lite", "Full", "mean"])
def test_second_derivatives(kind):
    def curvature(number: torch.dtype) -> torch.Tensor:
        layer = layer_of(kind, 2).to(number)
        x = torch.linspace(-1, 2, 64, dtype=number).sin().reshape(1, 2, 4, 8).requires_grad_()
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        return torch.cat([x.grad.flatten(), layer.log_lambda.grad, layer.log_alpha.grad])

    torch.testing.assert_close(
        curvature(torch.float32).double(), curvature(torch.float64), rtol=1e-4, atol=1e-4
    )


def test_only_the_input_is_kept():
    layer, x = layers.DetailPreservingPool2d(8), torch.randn(2, 8, 32, 32, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda t: t):
        layer(x)
    own = {tensor.data_ptr(): tensor.nbytes for tensor in kept}
    assert own.pop(x.data_ptr()) == x.nbytes
    assert sum(own.values()) <= 1000


def test_transforms_of_functions():
    layer, x = layer_of("Lite", 2), torch.randn(1, 2, 4, 4)
    got = torch.func.grad(lambda value: layer(value).square().sum())(x)
    leaf = x.clone().requires_grad_()
    layer(leaf).square().sum().backward()
    torch.testing.assert_close(got, leaf.grad)


def test_some_derivatives():
    """Only those that are asked for: of parameters, with a fixed input, and the reverse."""
    layer, x = layer_of("Full", 2), torch.randn(1, 2, 6, 6)
    layer(x).sum().backward()
    assert layer.log_lambda.grad.isfinite().all()
    fixed = layer_of("Full", 2).requires_grad_(False)
    leaf = x.clone().requires_grad_()
    fixed(leaf).sum().backward()
    assert math.isfinite(float(leaf.grad.sum()))
