"""Other scales in the page of a comparison, against the library's bytes."""

from __future__ import annotations

import numpy as np
import pytest

import dpid_cli
from support.browsing import agree, chosen, expected, shown, state
from support.chromium import until
from support.command import SAMPLES, pixels


def scale_to(page, text: str) -> None:
    page.fill("#scale-number", text)
    until(page, "!Scale.isPending()")
    page.wait_for_timeout(200)  # until the view has its size, below a heading of other words


def output(page, key: str) -> np.ndarray:
    """All pixels of an output, once they are there."""
    until(page, f"Boolean(Layers.all[Layers.indexOf('{key}')].pixels)")
    layer = f"Layers.all[Layers.indexOf('{key}')]"
    width, height, channels, values = page.evaluate(
        f"(({{ width, height, channels, pixels }}) => [width, height, channels, [...pixels]])({layer})"
    )
    return np.squeeze(np.array(values, np.uint8).reshape(height, width, channels))


@pytest.mark.parametrize("kind", ["gray", "colours", "alpha"])
def test_every_output_at_another_scale(opened, paged, source, kind, dpid, tmp_path):
    alpha = np.dstack([source, 255 - source[..., 0]])
    image = {"gray": source[..., 0], "colours": source, "alpha": alpha}[kind]
    page = opened(paged(image, "-s 4 -m dpid:lambda=0.7 -m dpp -m max -m lanczos --no-metrics"))
    methods = {"box": "-m box", "dpid:lambda=0.7": "--lambda 0.7", "dpp": "-m dpp", "max": "-m max"}
    for scale in ("2", "3.7", "11"):
        scale_to(page, scale)
        for key, words in methods.items():
            target = tmp_path / "small.png"
            command = ["downscale", str(tmp_path / "photo.png"), "-s", scale, *words.split()]
            assert dpid(*command, "--overwrite", "-o", str(target)).exit_code == 0
            np.testing.assert_array_equal(output(page, key), pixels(target))
        assert page.inner_text("#right-tag") == f"2 dpid, λ = 0.7, {scale}× smaller"
    hidden = "[...$('right').options].find(({ textContent }) => textContent === 'lanczos').hidden"
    assert page.evaluate(hidden)  # which the page cannot compute
    scale_to(page, "4")
    assert not page.evaluate(hidden) and "smaller" not in page.inner_text("#right-tag")
    page.select_option("#right", label="lanczos")
    target = tmp_path / "lanczos.png"
    command = ["downscale", str(tmp_path / "photo.png"), "-s", "4", "-m", "lanczos", "-o", str(target)]
    assert dpid(*command).exit_code == 0
    np.testing.assert_array_equal(output(page, "lanczos"), pixels(target))  # those of the page again


def test_the_view_keeps_its_place_and_lambda_its_slider(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid --no-metrics --closeup 120,80,40,40"))
    page.evaluate("View.setSplit(0)")
    before = state(page)
    scale_to(page, "2")
    now = state(page)
    assert now["zoom"] == before["zoom"] / 2 and page.evaluate("Strip.places[0]") == [60, 40, 80, 60]
    assert chosen(page) == ("box", "dpid, λ = 1")
    assert agree(shown(page), expected(page, dpid_cli.downscale(source, scale=2)))
    assert "240×160 → 120×80 pixels, 2× smaller" in page.inner_text("#facts")
    page.evaluate("$('slider-lambda').value = 0.4; $('slider-lambda').dispatchEvent(new Event('input'))")
    until(page, "!Live.isPending()")
    wanted = dpid_cli.downscale(source, scale=2, lambda_=0.4)
    assert agree(shown(page), expected(page, wanted))
    scale_to(page, "4")
    wanted = dpid_cli.downscale(source, scale=4, lambda_=0.4)
    assert agree(shown(page), expected(page, wanted)) and state(page)["zoom"] == before["zoom"]


def test_the_slider_and_a_link_lead_to_a_scale(opened, paged, source):
    path = paged(source, "-s 4 -m dpid --no-metrics")
    page = opened(path)
    page.focus("#slider-scale")
    page.keyboard.press("ArrowRight")
    page.evaluate("$('slider-scale').value = 300; $('slider-scale').dispatchEvent(new Event('input'))")
    until(page, "!Scale.isPending() && location.hash.includes('scale=')")
    width, height = page.evaluate("[Layers.width, Layers.height]")
    assert (width, height) != (60, 40)
    other = opened(path, page.evaluate("location.hash"))
    assert other.evaluate("[Layers.width, Layers.height]") == [width, height]
    np.testing.assert_array_equal(output(other, "dpid"), dpid_cli.downscale(source, size=(width, height)))


def test_profiles_are_converted_before_with_to_srgb(opened, paged, dpid, tmp_path):
    """Then the page computes; else it says why it does not."""
    rocket, target = str(SAMPLES / "rocket.jpg"), tmp_path / "rocket.html"
    assert dpid("compare", rocket, "-s", "4", "--no-metrics", "-o", str(target)).exit_code == 0
    page = opened(target)
    assert "cannot convert colours from the input's profile exactly" in page.inner_text("footer")
    assert page.locator("#scale-number").count() == 0
    words = ("-s", "4", "--no-metrics", "--to-srgb", "--overwrite", "-o", str(target))
    assert dpid("compare", rocket, *words).exit_code == 0
    page = opened(target)
    for scale in ("4", "5.3"):
        scale_to(page, scale)
        small = tmp_path / f"{scale}.png"
        assert dpid("downscale", rocket, "-s", scale, "--to-srgb", "-o", str(small)).exit_code == 0
        np.testing.assert_array_equal(output(page, "dpid"), pixels(small))
