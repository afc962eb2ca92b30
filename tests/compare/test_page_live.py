"""Outputs that a page computes while a slider moves, against the library's bytes."""

from __future__ import annotations

import numpy as np
import pytest

import dpid_cli
from support.browsing import agree, choose, chosen, expected, shown
from support.chromium import until
from support.command import pixels


def slide(page, name: str, value: float) -> None:
    page.evaluate(f"$('slider-{name}').value = {value}; $('slider-{name}').dispatchEvent(new Event('input'))")


def whole(page) -> np.ndarray:
    """All pixels of the output that was computed last, once they are there."""
    until(page, "!Live.isPending()")
    width, height, channels = page.evaluate("[Layers.width, Layers.height, Live.layer().channels]")
    pixels = np.array(page.evaluate("[...Live.layer().pixels]"), np.uint8)
    return pixels.reshape(height, width, channels)


@pytest.mark.parametrize("scale", ["4", "3.7"])
@pytest.mark.parametrize("kind", ["gray", "colours", "alpha"])
def test_lambda_is_exact_at_any_value(opened, paged, source, scale, kind, dpid, tmp_path):
    alpha = np.dstack([source, 255 - source[..., 0]])
    image = {"gray": source[..., 0], "colours": source, "alpha": alpha}[kind]
    page = opened(paged(image, f"-s {scale} -m dpid -m box --no-metrics"))
    for value in (0.37, 1.5):
        slide(page, "lambda", value)
        assert chosen(page) == ("box", f"dpid, λ = {value}")
        words = ("-s", scale, "--lambda", str(value), "--overwrite", "-o", str(tmp_path / "small.png"))
        assert dpid("downscale", str(tmp_path / "photo.png"), *words).exit_code == 0
        wanted = pixels(tmp_path / "small.png")
        np.testing.assert_array_equal(np.squeeze(whole(page)), wanted)
    if kind == "colours":
        page.evaluate("View.setSplit(0)")
        assert agree(shown(page), expected(page, wanted))


def test_all_parameters(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid -m dpp --no-metrics"))
    page.click("#more-sliders summary")
    page.select_option("#slider-guidance", "box")
    page.select_option("#slider-variant", "asym")
    slide(page, "alpha", 0.1)
    slide(page, "epsilon", 0.05)
    wanted = dpid_cli.downscale(source, scale=4, guidance="box", variant="asym", alpha=0.1, epsilon=0.05)
    np.testing.assert_array_equal(whole(page), wanted)
    choose(page, "box", "dpp, λ = 1")
    slide(page, "epsilon", 0)  # dpp has none
    wanted = dpid_cli.downscale(source, scale=4, method="dpp", epsilon=0.001)
    np.testing.assert_array_equal(whole(page), wanted)


def test_a_link_computes_its_output_again(opened, paged, source):
    path = paged(source, "-s 4 -m dpid --no-metrics")
    page = opened(path)
    slide(page, "lambda", 0.83)
    until(page, "location.hash.includes('0.83')")
    other = opened(path, page.evaluate("location.hash"))
    np.testing.assert_array_equal(whole(other), dpid_cli.downscale(source, scale=4, lambda_=0.83))
    assert chosen(other) == ("box", "dpid, λ = 0.83")


def test_each_side_has_an_output_of_its_own(opened, paged, source):
    """Also after both have changed places."""
    page = opened(paged(source, "-s 4 -m dpid --no-metrics"))
    slide(page, "lambda", 0.37)
    first = whole(page)
    page.focus("#view")
    page.keyboard.press("x")
    choose(page, "dpid, λ = 0.37", "dpid, λ = 1")
    slide(page, "lambda", 1.5)
    second = whole(page)
    assert chosen(page) == ("dpid, λ = 0.37", "dpid, λ = 1.5")
    for output, value in ((first, 0.37), (second, 1.5)):
        np.testing.assert_array_equal(output, dpid_cli.downscale(source, scale=4, lambda_=value))
    for split, output in ((1, first), (0, second)):
        page.evaluate(f"View.setSplit({split})")
        assert agree(shown(page), expected(page, output))


def test_links_keep_the_noise_of_each_channel_and_refuse_unknown_words(opened, paged, source):
    path = paged(source, "-s 4 -m dpid:noise=0.05/0.1/0.02 --no-metrics")
    page = opened(path)
    slide(page, "lambda", 0.47)
    wanted = dpid_cli.downscale(source, scale=4, lambda_=0.47, noise=(0.05, 0.1, 0.02))
    np.testing.assert_array_equal(whole(page), wanted)
    until(page, "location.hash.includes('0.47')")
    again = opened(path, page.evaluate("location.hash"))
    assert chosen(again) == chosen(page)
    np.testing.assert_array_equal(whole(again), wanted)
    for wrong in "variant=foo", "noise=0.1/x", "lambda=-1", "lambda=Infinity":
        assert chosen(opened(path, f"#right=dpid:{wrong}")) == ("box", "dpid, λ = 1, noise = 0.05/0.1/0.02")


def test_the_slider_reaches_a_value_beyond_its_range(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid --no-metrics"), "#right=dpid:lambda=5")
    assert page.inner_text("#slider-lambda-value") == "λ = 5"
    assert page.evaluate("Number($('slider-lambda').value)") == 5
