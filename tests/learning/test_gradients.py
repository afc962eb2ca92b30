"""Gradients agree with differences of outputs in float64, for every parameter and both grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dpid_cli
from dpid_cli import Filter, downscale, gradients
from support import oracle

plainly = settings(deadline=None, max_examples=50, derandomize=True)
MARGIN = 0.01  # between a pixel and its guidance; more than any difference below moves them


@st.composite
def filters(draw, grid, planes, rng):
    """A filter on one of the grids; on the input grid, with a scale."""
    bias = tuple(rng.normal(0, 0.1, planes)) if planes else 0.1
    if grid == "output":
        # A derivative filter, which sums to zero, has another rule for borders. Sums near zero lie between
        # the two, where the rule changes and no derivative exists.
        kernel = rng.normal(0, 0.1, (*planes, 3, 3))
        kernel += (draw(st.sampled_from([0.0, 1.0])) - kernel.sum((-2, -1), keepdims=True)) / 9
        return Filter(kernel, bias=bias)
    scale = draw(st.integers(2, 3))
    side = draw(st.integers(1, scale + 2))
    return Filter(
        rng.normal(0.1, 0.2, (*planes, side, side)),
        grid="input",
        scale=scale,
        offset=(draw(st.integers(-3, 1)), draw(st.integers(-3, 1))),
        padding=draw(st.sampled_from(["zero", "replicate", "reflect"])),
        bias=bias,
    )


@st.composite
def cases(draw):
    """An image, a size, and parameters near which the result is smooth."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    channels = draw(st.sampled_from([(), (3,)]))
    guidance = draw(st.sampled_from(["box", "gaussian", "output", "input"]))
    if guidance in ("output", "input"):
        guidance = draw(filters(guidance, channels if draw(st.booleans()) else (), rng))
    size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    if isinstance(guidance, Filter) and guidance.scale:
        height, width = (n * guidance.scale for n in size[::-1])
    else:
        height, width = (n + draw(st.integers(1, 6)) for n in size[::-1])
    parameters = {
        "guidance": guidance,
        "lambda_": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.7, 9.0])),
        "alpha": draw(st.sampled_from([0.0, 0.05, 0.7])),
        "epsilon": draw(st.sampled_from([0.05, 0.2])),
        "variant": draw(st.sampled_from(["sym", "asym"])),
        "normalize": draw(st.sampled_from(["none", "mean"])),
    }
    image = settled(rng.random((height, width, *channels)), size, guidance, rng)
    parameters["noise"] = noise_beside(image, size, guidance, rng) if draw(st.booleans()) else 0.0
    return image, size, parameters, rng


def settled(image, size, guidance, rng):
    """Change an image until no pixel is near its guidance.

    There, the slope of the asymmetric reward has a bend, which a difference across it would round off.
    """
    for _ in range(200):
        planes = np.atleast_3d(image)
        compared = oracle.guide(planes, size, guidance)
        near = np.zeros(planes.shape, bool)
        for row, column, _, cover in oracle.windows(planes, size):
            y0, y1, _ = oracle.window(row, planes.shape[0], size[1])
            x0, x1, _ = oracle.window(column, planes.shape[1], size[0])
            close = np.abs(planes[y0:y1, x0:x1] - compared[row, column]) < MARGIN
            near[y0:y1, x0:x1] |= close & (len(cover) > 1)  # the weight of a single pixel does not matter
        if not near.any():
            return image
        image = np.where(near.reshape(image.shape), rng.random(image.shape), image)
    assume(False)


def noise_beside(image, size, guidance, rng):
    """A noise whose threshold no distance from the guidance is near: there, derivatives jump."""
    planes = np.atleast_3d(image)
    compared = oracle.guide(planes, size, guidance)
    squares = [
        (pixels - compared[row, column]) ** 2 for row, column, pixels, _ in oracle.windows(planes, size)
    ]
    channels = planes.shape[2]
    joint = np.sqrt(np.concatenate([square.sum(1) for square in squares]))
    own = np.sqrt(np.concatenate([square.ravel() for square in squares]))
    for noise in rng.uniform(0.02, 0.2, 200):
        thresholds = noise * np.sqrt((2 + 4 / channels) * channels), noise * np.sqrt(6)
        if min(np.abs(joint - thresholds[0]).min(), np.abs(own - thresholds[1]).min()) > MARGIN / 4:
            return float(noise)
    assume(False)


def central(function, step=1e-4):
    """Derivative at 0 by central differences of sixth order."""
    one, two, three = (function(k * step) - function(-k * step) for k in (1, 2, 3))
    return (45 * one - 9 * two + three) / (60 * step)


def forward(function, step=2e-5):
    """Derivative at 0 by forward differences of sixth order."""
    weights = np.array([-147, 360, -450, 400, -225, 72, -10]) / 60
    return sum(weight * function(k * step) for k, weight in enumerate(weights)) / step


def agree(actual, expected, size=0.0):
    """Allow a relative error of 1e-6 of the derivative, or of the `size` of its terms."""
    assert abs(actual - expected) <= 1e-6 * max(abs(expected), size) + 1e-9


@pytest.mark.parametrize("method", ["dpp", "dpid"])
@plainly
@given(case=cases())
def test_every_gradient(method, case):
    image, size, parameters, rng = case
    upstream = rng.normal(0, 1, (size[1], size[0], *image.shape[2:]))
    found = gradients(image, upstream, size=size, method=method, **parameters)

    def loss(image=image, **changed):
        result = downscale(image, size=size, method=method, threads=1, **parameters | changed)
        return float((result * upstream).sum())

    assert found.image.shape == image.shape
    direction = rng.uniform(-1, 1, image.shape)
    terms = found.image * direction
    agree(terms.sum(), central(lambda t: loss(image + t * direction)), np.abs(terms).sum())

    if parameters["lambda_"] > 0:
        agree(found.lambda_, central(lambda t: loss(lambda_=parameters["lambda_"] + t)))
    if parameters["alpha"] > 0:
        agree(found.alpha, central(lambda t: loss(alpha=parameters["alpha"] + t)))
    elif parameters["lambda_"] <= 1:  # above, rewards are as small as the steps of alpha
        agree(found.alpha, forward(lambda t: loss(alpha=t)), 1e-3)

    guidance = parameters["guidance"]
    if not isinstance(guidance, Filter):
        guidance = Filter(
            np.outer([1, 2, 1], [1, 2, 1]) / 16 if guidance == "gaussian" else np.outer([0, 1, 0], [0, 1, 0])
        )
    assert found.kernel.shape == guidance.kernel.shape
    assert np.shape(found.bias) == np.shape(guidance.bias)
    direction = rng.uniform(-1, 1, guidance.kernel.shape) / guidance.kernel[0].size
    if guidance.grid == "output" and np.abs(guidance.kernel.sum((-2, -1))).max() < 0.5:
        direction -= direction.mean((-2, -1), keepdims=True)  # keep the rule for borders
    terms = found.kernel * direction

    def with_kernel(t):
        return loss(guidance=replace(guidance, kernel=guidance.kernel + t * direction))

    agree(terms.sum(), central(with_kernel), np.abs(terms).sum())
    direction = rng.uniform(-1, 1, np.shape(guidance.bias))
    terms = np.asarray(found.bias) * direction

    def with_bias(t):
        return loss(guidance=replace(guidance, bias=(np.asarray(guidance.bias) + t * direction).tolist()))

    agree(terms.sum(), central(with_bias), np.abs(terms).sum())


@pytest.mark.parametrize("method", ["dpp", "dpid"])
@plainly
@given(case=cases())
def test_image_gradients_add_up_where_the_guidance_follows_the_image(method, case):
    """A brighter image has an equally brighter output: sum(dL/dimage) = sum(upstream)."""
    image, size, parameters, rng = case
    assume(parameters["guidance"] in ("box", "gaussian"))
    upstream = rng.normal(0, 1, (size[1], size[0], *image.shape[2:]))
    found = gradients(image, upstream, size=size, method=method, **parameters)
    np.testing.assert_allclose(found.image.sum(), upstream.sum(), rtol=0, atol=1e-9)


def test_without_epsilon_flat_windows_have_finite_gradients():
    image = np.full((6, 6, 3), 0.25)
    image[:2] = np.random.default_rng(0).random((2, 6, 3))
    for lambda_ in 0.3, 1.0, 2.0:
        found = gradients(image, np.ones((3, 3, 3)), scale=2, method="dpid", lambda_=lambda_)
        assert np.isfinite(found.image).all() and np.isfinite(found.kernel).all()
        np.testing.assert_allclose(found.image.sum(), 27, atol=1e-9)


def test_integers_are_intensities():
    rng = np.random.default_rng(1)
    levels, upstream = rng.integers(0, 256, (9, 8, 3), np.uint8), rng.normal(0, 1, (3, 2, 3))
    of_levels = gradients(levels, upstream, size=(2, 3))
    of_floats = gradients(levels / 255, upstream, size=(2, 3))
    np.testing.assert_array_equal(of_levels.image, of_floats.image)
    assert isinstance(of_levels, dpid_cli.Gradients)
    assert of_levels.lambda_ == of_floats.lambda_


def test_scale_one_passes_the_gradient_on():
    upstream = np.random.default_rng(2).random((4, 5))
    found = gradients(np.zeros((4, 5)), upstream, scale=1)
    np.testing.assert_array_equal(found.image, upstream)
    assert not found.kernel.any() and found.lambda_ == found.alpha == found.bias == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"scale": 2, "method": "box"}, "method: box has no gradients"),
        ({}, "size: give either scale or size"),
        ({"scale": 2, "upstream": np.ones((2, 3))}, "upstream must be "),
        ({"scale": 2, "upstream": np.full((3, 3), np.nan)}, "upstream must be "),
        ({"scale": 2, "lambda_": -1}, "lambda must be "),
    ],
)
def test_errors(arguments, told):
    with pytest.raises(dpid_cli.DpidError, match=told):
        gradients(np.zeros((6, 6)), arguments.pop("upstream", np.ones((3, 3))), **arguments)
