"""The JavaScript engine of pages, run by Node, against the bytes of the command and exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import dpid_cli
from support import oracle
from support.engine import (
    bytes_of,
    commanded,
    image_of,
    needs_node,
    random_image,
    random_request,
    run,
    size_for,
)

pytestmark = needs_node

SCALES = (1.03, 1.5, 2, 2.6, 3, 4, 7, 9.1)
WEIGHTS = tuple(
    {"method": method, **others}
    for method in ("dpid", "dpp")
    for others in (
        {"lambda": 0.25}, {"lambda": 0.5}, {"lambda": 0.6}, {"lambda": 0.75}, {"lambda": 1}, {"lambda": 1.5},
        {"lambda": 2}, {"lambda": 3}, {"lambda": 4}, {"lambda": 12}, {"alpha": 0.05}, {"variant": "asym"},
        {"epsilon": 0.2}, {"epsilon": 3, "lambda": 9, "alpha": 0.5}, {"noise": 0.03},
        {"guidance": "box", "lambda": 0.9}, {"guidance": "gaussian", "lambda": 0.9},
    )
)  # fmt: skip
METHODS = (*({"method": name} for name in ("box", "max", "min", "extremum")), *WEIGHTS)


def assert_equal(images, requests):
    """The engine gives what the command gives, byte for byte."""
    cases = [{"image": image_of(i), "request": r} for i, r in zip(images, requests, strict=True)]
    answers = run(cases)
    assert len(answers) == len(images) > 0
    for pixels, request, answer in zip(images, requests, answers, strict=True):
        wanted, found = commanded(pixels, request)
        assert np.array_equal(bytes_of(answer), wanted.ravel()), (pixels.shape, request)
        assert {name: np.ravel(value).tolist() for name, value in answer["found"].items()} == {
            name: np.ravel(value).tolist() for name, value in found.items()
        }


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", SCALES)
def test_every_method_equals_the_command(scale, channels):
    rng = np.random.default_rng([int(100 * scale), channels])
    images = [random_image(rng, 41, 83, channels) for _ in METHODS]
    assert_equal(images, [{"size": size_for(images[0], scale), **method} for method in METHODS])


@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_asymmetric_powers(method):
    images = [random_image(np.random.default_rng(1), 41, 83, 3)] * len(SCALES)
    request = {"method": method, "variant": "asym", "lambda": 0.6}
    assert_equal(images, [request | {"size": size_for(images[0], scale)} for scale in SCALES])


@pytest.mark.parametrize("seed", range(6))
def test_random_requests_equal_the_command(seed):
    rng = np.random.default_rng(seed)
    sizes = [(*rng.integers(1, 90, 2), rng.integers(1, 5)) for _ in range(60)]
    images = [random_image(rng, *map(int, size)) for size in sizes]
    assert_equal(images, [random_request(rng, pixels) for pixels in images])


@pytest.mark.parametrize(("width", "columns"), [(2600, 2), (1300, 1), (1540, 3), (2311, 3), (4100, 2)])
def test_windows_wider_than_a_tile(width, columns):
    rng = np.random.default_rng(width)
    images = [rng.integers(0, 256, (5, width, channels), np.uint8) for channels in (3, 4)]
    requests = [
        {"method": "dpid", "size": [columns, 2], "lambda": 0.8},
        {"method": "dpp", "size": [columns, 3]},
    ]
    assert_equal(images, requests)


def test_a_large_image_equals_the_library():
    image = np.random.default_rng(5).integers(0, 256, (700, 900, 3)).astype(np.uint8)
    image = (image // 8 + np.add.outer(np.arange(700), np.arange(900))[..., None] // 8).astype(np.uint8)
    requests = [{"method": "dpid", "lambda": lambda_, "size": [333, 260]} for lambda_ in (0.7, 1)]
    answers = run([{"image": image_of(image), "request": request} for request in requests])
    for request, answer in zip(requests, answers, strict=True):
        wanted = dpid_cli.downscale(image, size=(333, 260), lambda_=request["lambda"])
        assert np.array_equal(bytes_of(answer), wanted.ravel())


@pytest.mark.parametrize("method", ["dpid", "dpp", "box", "max", "min", "extremum"])
def test_within_a_level_of_the_equations(method):
    image = np.random.default_rng(3).integers(0, 256, (37, 50, 3), np.uint8)
    (answer,) = run([{"image": image_of(image), "request": {"method": method, "size": [17, 11]}}])
    exact = 255 * oracle.downscale(image, (17, 11), method)
    assert np.abs(bytes_of(answer) - exact.ravel()).max() <= 0.5 + 1e-3


def test_a_star_stays():
    night = np.zeros((64, 64), np.uint8)
    night[30, 30] = 255
    requests = [{"method": "box", "size": [8, 8]}, {"method": "dpid", "size": [8, 8]}]
    answers = run([{"image": image_of(night), "request": request} for request in requests])
    assert [int(bytes_of(answer).max()) for answer in answers] == [4, 204]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_region_alone_gives_the_bytes_of_the_whole(channels):
    image = random_image(np.random.default_rng(8), 60, 80, channels)
    shape = (23, 31, channels)
    for method in METHODS[::3]:
        request = {**method, "size": [31, 23]}
        region = [4, 9, 17, 21]
        whole, part = run(
            [{"image": image_of(image), "request": request | {"region": r}} for r in (None, region)]
        )
        left, top, right, bottom = part["region"]
        assert part["region"] == region and whole["region"] == [0, 0, 31, 23]
        wanted = bytes_of(whole).reshape(shape)[top:bottom, left:right]
        assert np.array_equal(bytes_of(part), wanted.ravel())


def test_the_order_of_requests_changes_nothing():
    image = random_image(np.random.default_rng(9), 50, 70, 3)
    requests = [{**METHODS[k], "size": size} for size in ([31, 23], [14, 10], [31, 23]) for k in (12, 4, 25)]
    fresh = run([{"image": image_of(image), "request": request} for request in requests])
    script = """
    function main({ image, requests }) {
      const kept = Layouts.imageOf({ ...image, pixels: bytesOf(image.pixels) });
      return requests.map((request) => ({ pixels: textOf(Engine.downscale(kept, request).pixels) }));
    }"""
    again = run({"image": image_of(image), "requests": requests}, script)
    assert [answer["pixels"] for answer in again] == [answer["pixels"] for answer in fresh]


def test_quick_sums_round_as_those_in_the_order_of_the_kernels():
    image = random_image(np.random.default_rng(10), 300, 400, 3)
    request = {"size": [151, 111], "method": "dpid"}
    cases = [{"image": image_of(image), "request": request | {"lambda": 0.1 + k / 7}} for k in range(12)]
    slow = "function main(cases) { Quick.isQuick = () => false; return cases.map(outputOf); }"
    assert run(cases) == run(cases, slow)


def test_a_product_and_a_sum_are_rounded_once():
    rng = np.random.default_rng(11)
    near = np.ldexp(1 + rng.integers(0, 2**24, (3000, 3)) * 2.0**-23, rng.integers(-3, 3, (3000, 3)))
    numbers = near.astype(np.float32)
    numbers[:, 2] *= rng.choice([-1, 1, 2.0**-24, 2.0**-30, 2.0**-36], 3000).astype(np.float32)
    halfway = np.array(
        [[1 + 2**-12, 1 + 2**-12, 2.0**-60], [1 + 2**-12, 1 + 2**-12, -(2.0**-60)]], np.float32
    )
    numbers = np.concatenate([numbers, halfway])
    answers = run(numbers.tolist(), "const main = (all) => all.map(([a, b, c]) => Single.fused(a, b, c));")
    for (a, b, c), answer in zip(numbers.tolist(), answers, strict=True):
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        below, above = (np.nextafter(np.float32(answer), np.float32(end)) for end in (-np.inf, np.inf))
        error = abs(exact - Fraction(answer))
        assert error <= min(abs(exact - Fraction(float(below))), abs(exact - Fraction(float(above))))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"method": "lanczos", "size": [4, 4]}, "method: lanczos is not known"),
        ({"method": "box", "size": [11, 4]}, "size: 11x4 does not fit an image of 10x10"),
        ({"method": "box", "size": [0, 4]}, "size: 0x4"),
    ],
)
def test_wrong_requests_are_refused(request_, message):
    image = image_of(np.zeros((10, 10, 3), np.uint8))
    script = "function main(c) { try { outputOf(c); } catch (error) { return error.message; } return ''; }"
    assert run({"image": image, "request": request_}, script).startswith(message)
