"""Pooling layers: derivatives, limits, equality with the library's methods, and what training needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")

import torch
import torch.nn.functional as F  # noqa: N812

import dpid_cli.torch as layers
from dpid_cli import ArgumentError, Filter
from support import oracle
from support.layers import array_of, assert_smooth, images, jittered, sample

DETAIL = {
    f"{guidance} {variant} {normalize}": lambda c, g=guidance, v=variant, n=normalize: (
        layers.DetailPreservingPool2d(c, guidance=g, variant=v, normalize=n)
    )
    for guidance, variant, normalize in (
        ("box", "sym", "none"), ("box", "asym", "none"), ("gaussian", "sym", "none"),
        ("learned", "sym", "none"), ("learned", "asym", "mean"), ("box", "sym", "mean"),
        ("learned", "sym", "sum"),
    )
}  # fmt: skip
LAYERS = {
    **DETAIL,
    "overlapping": lambda c: layers.DetailPreservingPool2d(c, 3, 2, 1, guidance="learned"),
    "ceil mode": lambda c: layers.DetailPreservingPool2d(c, 2, ceil_mode=True),
    "adaptive": lambda c: layers.AdaptiveDetailPreservingPool2d(c, (2, 3), guidance="gaussian"),
    "S3DPP": lambda c: layers.S3DetailPreservingPool2d(c),
    "S3Pool": lambda c: layers.S3Pool2d(),
    "stochastic": lambda c: layers.StochasticPool2d(),
    "mixed": lambda c: layers.MixedPool2d(),
    "gated": lambda c: layers.GatedPool2d(c),
    "gated by one": lambda c: layers.GatedPool2d(kernel_size=3, stride=2, padding=1),
    "lp": lambda c: layers.LpPool2d(3.0),
    "soft": lambda c: layers.SoftPool2d(3, 2, 1),
    "edscw": lambda c: layers.EDSCWPool2d(),
    "ada": lambda c: layers.AdaPool2d(),
    "idw": lambda c: layers.IDWPool2d(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives(name):
    layer = jittered(LAYERS[name](2)).eval()
    # Second derivatives of the positive part jump where it ends.
    assert_smooth(layer, images((2, 2, 5, 6)), second="asym" not in name)


@pytest.mark.parametrize("name", ["S3DPP", "S3Pool", "stochastic"])
def test_derivatives_of_a_draw(name):
    layer = jittered(LAYERS[name](2)).train()
    x = images((1, 2, 4, 6)).requires_grad_()

    def call(x):
        torch.manual_seed(3)
        return layer(x)

    assert torch.autograd.gradcheck(call, (x,))


@pytest.mark.parametrize("name", LAYERS)
def test_state_and_training(name):
    first, second = jittered(LAYERS[name](3)), LAYERS[name](3).double()
    second.load_state_dict(first.state_dict())
    x = images((2, 3, 7, 9), seed=1)
    torch.testing.assert_close(first.eval()(x), second.eval()(x), rtol=0, atol=0)
    first.train()
    for _ in range(3):
        result = first(x)
        assert result.shape == second(x).shape and torch.isfinite(result).all()
    result.sum().backward() if result.requires_grad else None
    assert all(torch.isfinite(parameter.grad).all() for parameter in first.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LAYERS)
def test_half_precision(name, dtype):
    layer = LAYERS[name](3).eval()
    x = (10 * images((2, 3, 8, 8), seed=2)).to(dtype).requires_grad_()
    result = layer(x)
    result.float().sum().backward()
    assert result.dtype == dtype and torch.isfinite(result).all() and torch.isfinite(x.grad).all()
    exact = layer.double()(x.detach().double())
    assert ((result - exact).abs() <= 2 * torch.finfo(dtype).eps * exact.abs() + 1e-2).all()


@pytest.mark.parametrize("name", LAYERS)
def test_autocast(name):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), LAYERS[name](4))
    x = images((2, 3, 8, 8), seed=3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        result = model(x)
    result.float().sum().backward()
    assert result.dtype == torch.bfloat16 and torch.isfinite(result).all()
    assert torch.isfinite(model[0].weight.grad).all()


@pytest.mark.parametrize("name", LAYERS)
def test_flat_inputs(name):
    """A constant stays, with finite derivatives: 0, 1 and negative."""
    layer = LAYERS[name](2).double().eval()
    for value in (0.0, 1.0, -1.5):
        x = torch.full((1, 2, 8, 8), value, dtype=torch.float64, requires_grad=True)
        result = layer(x)
        result.sum().backward()
        expected = abs(value) if name == "lp" else max(value, 0) if name == "stochastic" else value
        torch.testing.assert_close(result, torch.full_like(result, expected))
        assert torch.isfinite(x.grad).all()


def with_values(layer, log_lambda: float, log_alpha: float):
    with torch.no_grad():
        layer.log_lambda.fill_(log_lambda)
        layer.log_alpha.fill_(log_alpha)
    return layer.double()


@pytest.mark.parametrize("guidance", ["box", "learned"])
@pytest.mark.parametrize("variant", ["sym", "asym"])
def test_small_lambda_is_the_average(variant, guidance):
    x = images((1, 3, 8, 8))
    layer = layers.DetailPreservingPool2d(3, variant=variant, guidance=guidance)
    torch.testing.assert_close(with_values(layer, -40.0, 0.0)(x), F.avg_pool2d(x, 2))
    torch.testing.assert_close(with_values(layer, 0.0, 40.0)(x), F.avg_pool2d(x, 2))  # and so is large alpha


def test_large_lambda_is_the_extreme():
    x = images((1, 3, 8, 8))
    asym = layers.DetailPreservingPool2d(3, variant="asym", normalize="mean")
    torch.testing.assert_close(with_values(asym, 10.0, -80.0)(x), F.max_pool2d(x, 2))
    sym = layers.DetailPreservingPool2d(3)
    expected = oracle.pool(array_of(x), (4, 4), "extremum")
    np.testing.assert_allclose(array_of(with_values(sym, 10.0, -80.0)(x)), expected, atol=1e-6)


@pytest.mark.parametrize("variant", ["sym", "asym"])
@pytest.mark.parametrize("guidance", ["box", "gaussian"])
@pytest.mark.parametrize("normalize", ["none", "mean"])
def test_detail_layers_are_dpp(variant, guidance, normalize):
    image, batch = sample((24, 36, 3), "float64", seed=4)
    parameters = {"variant": variant, "guidance": guidance, "normalize": normalize}
    rule = {**parameters, "lambda_": math.exp(0.3), "alpha": math.exp(-1.0)}
    layer = with_values(layers.DetailPreservingPool2d(3, 4, **parameters), 0.3, -1.0)
    exact = oracle.downscale(image, (9, 6), "dpp", **rule)
    np.testing.assert_allclose(array_of(layer(batch)), exact, atol=1e-9)
    adaptive = with_values(layers.AdaptiveDetailPreservingPool2d(3, (7, 5), **parameters), 0.3, -1.0)
    np.testing.assert_allclose(
        array_of(adaptive(batch)), oracle.downscale(image, (5, 7), "dpp", **rule), atol=1e-9
    )


def test_divided_by_the_sum():
    """Alpha then counts as many times more as there are pixels in a window to the power of lambda / 2."""
    x = images((1, 2, 8, 8))
    by_sum = with_values(layers.DetailPreservingPool2d(2, normalize="sum"), math.log(2), 0.0)
    by_mean = with_values(layers.DetailPreservingPool2d(2, normalize="mean"), math.log(2), math.log(4))
    torch.testing.assert_close(by_sum(x), by_mean(x))


def test_full_pooling_begins_as_lite_and_learns_the_filter_of_the_released_code():
    x = images((1, 3, 8, 10))
    full, lite = (layers.DetailPreservingPool2d(3, guidance=g).double() for g in ("learned", "box"))
    torch.testing.assert_close(full(x), lite(x))
    full = jittered(full)
    filter_ = {"grid": "input", "scale": 2, "offset": (-1, -1), "padding": "zero"}
    learned = Filter(full.weight[:, 0].detach().numpy(), bias=full.bias.tolist(), **filter_)
    for j in range(3):
        rule = {"lambda_": full.lambda_[j].item(), "alpha": full.alpha[j].item(), "guidance": learned}
        exact = oracle.downscale(array_of(x), (5, 4), "dpp", **rule)
        np.testing.assert_allclose(array_of(full(x))[..., j], exact[..., j], atol=1e-9)


@pytest.mark.parametrize(
    ("layer", "method", "rule"),
    [
        (lambda: layers.SoftPool2d(4), "softpool", {}),
        (lambda: layers.EDSCWPool2d(4), "edscw", {}),
        (lambda: layers.AdaPool2d(4, beta=0.3), "adapool", {"beta": 0.3}),
        (lambda: layers.IDWPool2d(4), "idw", {}),
        (lambda: layers.LpPool2d(3.0, 4), "lp", {"power": 3.0}),
        (lambda: layers.LpPool2d(1.0, 4), "lp", {"power": 1.0}),
        (lambda: layers.MixedPool2d(4, beta=0.3), "mixed", {"beta": 0.3}),
        (lambda: layers.GatedPool2d(None, 4), "gated", {}),
        (lambda: layers.StochasticPool2d(4), "stochastic", {"form": "expected"}),
        (lambda: layers.S3Pool2d(4), "s3pool", {"form": "expected"}),
        (lambda: with_values(layers.S3DetailPreservingPool2d(3, 4), 0.0, -1.0), "s3dpp",
         {"form": "expected", "lambda_": 1.0, "alpha": math.exp(-1.0)}),
    ],
)  # fmt: skip
def test_layers_are_the_methods_of_the_library(layer, method, rule):
    image, batch = sample((24, 36, 3), "float64", seed=5)
    exact = oracle.downscale(image, (9, 6), method, **rule)
    np.testing.assert_allclose(array_of(layer().double().eval()(batch)), exact, atol=1e-7)


def test_gates_open_by_scalar_products():
    x, layer = images((1, 2, 4, 4)), jittered(layers.GatedPool2d(2))
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2)
    openness = torch.sigmoid((windows * layer.gate[:, None, None]).sum((-2, -1)))
    expected = openness * F.max_pool2d(x, 2) + (1 - openness) * F.avg_pool2d(x, 2)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(
    "options", [(2,), (3, 2, 1), (3, 1), ((2, 3), (2, 3), (1, 0)), (3, 2, 1, True), (2, 2, 0, True)]
)
@pytest.mark.parametrize("shape", [(8, 9), (7, 6)])
def test_windows_are_those_of_pytorch(shape, options):
    x = images((1, 2, *shape))
    kernel, *others, ceil_mode = options if len(options) == 4 else (*options, False)
    own = {"ceil_mode": ceil_mode}
    average = F.avg_pool2d(x, kernel, *others, ceil_mode=ceil_mode, count_include_pad=False)
    layer = with_values(layers.DetailPreservingPool2d(2, kernel, *others, **own), -40.0, 0.0)
    torch.testing.assert_close(layer(x), average)
    mixed = layers.MixedPool2d(kernel, *others, beta=1 - 1e-7, **own).double()
    largest = F.max_pool2d(x, kernel, *others, ceil_mode=ceil_mode)
    torch.testing.assert_close(mixed(x), largest, atol=1e-6, rtol=0)


def test_stochastic_draws_by_value():
    torch.manual_seed(1)
    values = torch.tensor([[0.0, 1.0], [3.0, 4.0]]).repeat(1, 1, 100, 100)
    drawn = layers.StochasticPool2d().train()(values)
    shares = [(drawn == value).double().mean().item() for value in (0, 1, 3, 4)]
    np.testing.assert_allclose(shares, [0, 1 / 8, 3 / 8, 4 / 8], atol=0.02)


@pytest.mark.parametrize("layer", [layers.S3Pool2d(3), layers.S3DetailPreservingPool2d(1, 3)])
def test_rows_and_columns_are_drawn_in_cells(layer):
    """Each output is a pooling at some place of its cell, in order, and differs from draw to draw."""
    rows = torch.arange(24.0).reshape(1, 1, 24, 1).expand(1, 1, 24, 24)
    draws = torch.stack([layer.train()(rows)[0, 0] for _ in range(20)])
    assert (
        draws.shape == (20, 8, 8)
        and (draws == draws[..., :1]).all()
        and draws[..., 0].unique(dim=0).shape[0] > 5
    )
    assert (draws.diff(dim=1) >= 0).all()
    assert (draws[:, :4] <= 13).all() and (draws[:, 4:] >= 12).all()


def test_how_parameters_begin():
    ones = layers.DetailPreservingPool2d(16)
    assert (ones.lambda_ == 1).all() and (ones.alpha == 1).all()
    drawn = layers.DetailPreservingPool2d(16, guidance="learned", init="released")
    for parameter, bound in ((drawn.log_lambda, 1 / 4), (drawn.log_alpha, 1 / 4), (drawn.weight, 1 / 3)):
        assert 0 < parameter.abs().max() <= bound and parameter.std() > bound / 3


def test_no_weight_decay_for_lambda_and_alpha():
    pool = layers.DetailPreservingPool2d(4, guidance="learned")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), pool)
    decayed, kept = layers.parameter_groups(model, 0.01)
    assert [id(p) for p in kept["params"]] == [id(pool.log_lambda), id(pool.log_alpha)]
    assert kept["weight_decay"] == 0 and decayed["weight_decay"] == 0.01
    assert len(decayed["params"]) + 2 == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layers.DetailPreservingPool2d(0), "channels must be a whole number, 1 or more"),
        (lambda: layers.DetailPreservingPool2d(3, 0), "kernel_size must be a whole number, 1 or more"),
        (lambda: layers.DetailPreservingPool2d(3, (2, 2, 2)), "kernel_size must be"),
        (lambda: layers.DetailPreservingPool2d(3, variant="both"), "variant must be sym or asym"),
        (
            lambda: layers.DetailPreservingPool2d(3, guidance="max"),
            "guidance must be box, gaussian or learned",
        ),
        (lambda: layers.DetailPreservingPool2d(3, epsilon=0), "epsilon must be a finite number above 0"),
        (lambda: layers.DetailPreservingPool2d(3)(torch.zeros(1, 2, 4, 4)), "x must have 3 channels"),
        (lambda: layers.DetailPreservingPool2d(3)(torch.zeros(3, 4, 4)), r"x must be a tensor of shape \(N"),
        (lambda: layers.SoftPool2d(3)(torch.zeros(1, 3, 2, 2)), "windows of 3 pixels do not fit into 2"),
        (lambda: layers.SoftPool2d(3, padding=2)(torch.zeros(1, 3, 9, 9)), "padding must be at most half"),
        (
            lambda: layers.AdaptiveDetailPreservingPool2d(3, 9)(torch.zeros(1, 3, 8, 9)),
            "9x9 would enlarge",
        ),
        (lambda: layers.AdaptiveDetailPreservingPool2d(3, 9, guidance="learned"), "use box or gaussian"),
        (lambda: layers.S3DetailPreservingPool2d(3, guidance="gaussian"), "guidance must be box"),
        (lambda: layers.S3Pool2d(4)(torch.zeros(1, 3, 3, 8)), "windows of 4 pixels do not fit into 3x8"),
        (lambda: layers.MixedPool2d(beta=1.5), "beta must be a number between 0 and 1"),
        (lambda: layers.LpPool2d(0.5), "power must be a finite number, 1 or more"),
    ],
)
def test_wrong_arguments(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
