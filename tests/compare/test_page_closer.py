"""The page in Chromium: differences, values under the cursor, weights, grounds, and the input."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dpid_cli
from support.browsing import agree, choose, drawn, expected, screenshot, shown, state

LUMA = np.array([0.2126, 0.7152, 0.0722])


def point_at(page, column: int, row: int) -> None:
    """Move the mouse to a pixel of the output."""
    box, now = page.locator("#view").bounding_box(), state(page)
    page.mouse.move(
        box["x"] + now["x"] + (column + 0.5) * now["zoom"], box["y"] + now["y"] + (row + 0.5) * now["zoom"]
    )


def scale_of(page) -> np.ndarray:
    """The colours of the legend, from low to high."""
    return drawn(page, "document.getElementById('legend-colours')")[0].astype(int)


def on_scale(seen: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Where on a colour scale each colour lies, from 0 to 1."""
    distances = np.abs(seen[:, None].astype(int) - scale[None]).sum(axis=2)
    assert distances.min(axis=1).max() <= 12
    return distances.argmin(axis=1) / (len(scale) - 1)


@pytest.mark.parametrize("gain", [1, 4])
def test_the_difference_from_box_is_signed(page, results, gain):
    choose(page, "input", "max")
    page.check("input[value=difference]")
    page.select_option("#gain", str(gain))
    levels = (results["max"].astype(float) - results["box"]) @ LUMA
    wanted = expected(page, np.clip(0.5 + gain * levels / 510, 0, 1)[..., None].repeat(3, 2) * 1000)
    there = wanted[..., 0] >= 0
    part = on_scale(shown(page)[there][::97], scale_of(page))
    np.testing.assert_allclose(part, wanted[there][::97, 0] / 1000, atol=0.02)
    most = round(255 / gain)
    assert page.inner_text("#legend-low") == f"−{most}" and page.inner_text("#legend-high") == f"+{most}"
    assert page.inner_text("#right-tag") == "max − box" and not page.is_visible("#left-tag")


def test_the_difference_from_the_input_is_absolute(page, source, results):
    choose(page, "box", "max")
    page.check("input[value=difference]")
    page.select_option("#against", "input")
    page.select_option("#gain", "1")
    page.evaluate("View.centre(20, 20, 8)")  # a pixel of the input has two of the view
    output = np.kron(results["max"], np.ones((4, 4, 1)))
    levels = np.abs(source @ LUMA - output @ LUMA) / 255
    now = state(page)
    rows, columns = np.mgrid[5:150:7, 5:230:7]
    y, x = now["y"] + 2 * rows + 1, now["x"] + 2 * columns
    part = on_scale(shown(page)[y.ravel(), x.ravel()], scale_of(page))
    np.testing.assert_allclose(part, levels[rows, columns].ravel(), atol=0.02)
    assert page.inner_text("#legend-low") == "0" and page.inner_text("#right-tag") == "|max − input|"


@pytest.mark.parametrize("against", ["box", "input"])
def test_differences_are_apart_for_every_kind_of_colour_vision(page, against):
    """Lightness (CIE) rises along the absolute scale, and falls on both sides of the signed one."""
    page.check("input[value=difference]")
    page.select_option("#against", against)
    values = scale_of(page) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) @ LUMA
    steps = np.diff(light)
    if against == "input":
        assert (steps > -1e-3).all() and light[-1] - light[0] > 0.6
    else:
        middle = len(light) // 2
        assert (steps[: middle - 2] > 0).all() and (steps[middle + 2 :] < 0).all()
        blue = values[:middle]
        orange = values[middle:]
        assert (blue[:-4, 2] > blue[:-4, 0]).all() and (orange[4:, 0] > orange[4:, 2]).all()


def test_the_values_under_the_cursor(page, results):
    choose(page, "max", "dpid, λ = 0.5")
    point_at(page, 17, 22)
    pixel = {name: output[22, 17].astype(int) for name, output in results.items()}
    text = page.inner_text("#values")
    assert text.startswith("17, 22")
    for name in ("max", "dpid, λ = 0.5"):
        assert f"{name} {' '.join(map(str, pixel[name]))}" in text
    steps = pixel["dpid, λ = 0.5"] - pixel["box"]
    signed = " ".join(f"{s:+d}".replace("-", "−") if s else "0" for s in steps)
    assert f"Δ to box {signed}" in text


def dots(page, count: int) -> np.ndarray:
    """The share of white in the middle of each pixel of the window: larger dots reach farther."""
    pixels = drawn(page, "document.getElementById('weights')")
    side = pixels.shape[1] // count
    cells = pixels.reshape(count, side, count, side, 3).swapaxes(1, 2)
    return (cells >= 250).all(axis=-1).mean(axis=(2, 3))


def test_the_weights_of_a_window(opened, paged):
    """One bright pixel in a dark window has nearly all of DPID's weight."""
    image = np.full((40, 40, 3), 40, np.uint8)
    image[18, 21] = 220
    page = opened(paged(image, "-s 4 -m dpid -m box --no-metrics --closeup 0,0,40,40"))
    point_at(page, 5, 4)
    seen = dots(page, 4)
    assert np.unravel_index(seen.argmax(), seen.shape) == (2, 1) and seen.max() > 0.4
    # In closed form: means of the window and its neighbours, smoothed.
    mean = np.full((10, 10), 40.0)
    mean[4, 5] += 180 / 16
    guide = 40 + 0.25 * (mean[4, 5] - 40)
    bright, dark = 220 - guide, guide - 40
    share = bright / (bright + 15 * dark)
    text = page.inner_text("#weights-caption")
    assert f"The largest share is {100 * share:.1f} %".replace(".0 %", " %") in text
    assert "in box 6.3 %" in text and "below pixel 5, 4" in text
    shares = np.where(np.arange(16).reshape(4, 4) == 9, share, (1 - share) / 15)
    np.testing.assert_allclose(seen / seen.max(), shares / share, atol=0.2)


def test_weights_sum_up_to_the_output(opened, paged, source):
    """At a fractional scale, too: the weighted mean of the window is the library's output."""
    page = opened(paged(source, "-s 2.5 -m dpid:lambda=0.7,alpha=0.1 -m dpp --no-metrics"))
    wanted = dpid_cli.downscale(source, scale=2.5, lambda_=0.7, alpha=0.1)
    for column, row in ((0, 0), (95, 63), (40, 31)):
        weights = np.array(page.evaluate(f"Weights.of({column}, {row}, Layers.all[1])"))
        assert weights.sum() == pytest.approx(1)
        top, left = int(row * 2.5), int(column * 2.5)
        part = source[top : top + weights.shape[0], left : left + weights.shape[1]]
        np.testing.assert_allclose(np.tensordot(weights, part, 2), wanted[row, column], atol=0.51)
    assert np.array(page.evaluate("Weights.of(3, 3, Layers.all[2])")).sum() == pytest.approx(1)


def test_the_input_is_shown_exactly_at_the_places(opened, paged):
    large = np.random.default_rng(5).integers(0, 256, (1200, 1500, 3), np.uint8)
    page = opened(paged(large, "-s 3 -m box --no-metrics --closeup 300,600,90,60"))
    choose(page, "input", "input")
    page.evaluate("View.setSplit(0)")
    now = state(page)
    assert now["zoom"] % 3 == 0
    side = now["zoom"] // 3
    x, y = now["x"] + 300 * side, now["y"] + 600 * side
    seen = shown(page)[y : y + 60 * side, x : x + 90 * side]
    np.testing.assert_array_equal(seen, np.kron(large[600:660, 300:390], np.ones((side, side, 1), np.uint8)))
    assert "preview outside of the places" in page.inner_text("#right-tag")


def test_a_small_input_is_exact_everywhere(page, source):
    choose(page, "input", "input")
    page.evaluate("View.setSplit(0); View.centre(30, 20, 8)")
    now = state(page)
    seen = shown(page)[now["y"] : now["y"] + 320, now["x"] : now["x"] + 480]
    np.testing.assert_array_equal(seen, np.kron(source, np.ones((2, 2, 1), np.uint8)))
    assert "preview" not in page.inner_text("#right-tag")


@pytest.fixture
def glass(paged):
    """A page of an image whose left half is transparent."""
    pixels = np.full((40, 80, 4), 255, np.uint8)
    pixels[:, :40, 3] = 0
    return paged(pixels, "-s 4 -m nearest --no-metrics --closeups 0")


def runs(line: np.ndarray) -> set[int]:
    """Lengths of the runs of equal colours within a line, without those at its ends."""
    edges = np.flatnonzero((line[1:] != line[:-1]).any(axis=1))
    return set(np.diff(edges).tolist())


def test_transparency_shows_squares_that_are_no_pixels(opened, glass):
    page = opened(glass)
    choose(page, "nearest", "nearest")
    page.evaluate("View.setSplit(1)")
    for zoom in (1, 3, 9, 18, 27, 30):
        page.evaluate(f"View.zoomTo({zoom})")
        now = state(page)
        seen = shown(page)[max(0, now["y"]) : now["y"] + 10 * zoom, now["x"] : now["x"] + 20 * zoom]
        assert (seen[:, 10 * zoom : -5] == 255).all()
        squares = seen[:, : 10 * zoom]
        if zoom > 1:
            assert len(np.unique(squares.reshape(-1, 3), axis=0)) == 2
        for side in runs(squares[0]):
            assert zoom == 1 or (side % zoom and zoom % side)


@pytest.mark.parametrize(("ground", "colour"), [("white", 255), ("black", 0)])
def test_grounds(opened, glass, ground, colour):
    page = opened(glass)
    page.select_option("#ground", ground)
    choose(page, "nearest", "input")
    now = state(page)
    seen = shown(page)[now["y"] : now["y"] + 10 * now["zoom"], now["x"] : now["x"] + 10 * now["zoom"]]
    inside = np.ones(seen.shape[1], bool)
    middle = page.evaluate("View.canvas.width / 2") - now["x"]
    inside[max(0, int(middle) - 3) : int(middle) + 3] = False
    assert (seen[:, inside] == colour).all()
    page.select_option("#ground", "checker")
    assert len(np.unique(shown(page).reshape(-1, 3), axis=0)) >= 2


def test_frames_stand_out_from_any_ground(opened, paged):
    for level in (0, 128, 255):
        image = np.full((80, 80, 3), level, np.uint8)
        image[40, 40] = 255 - level
        page = opened(paged(image, "-s 2 -m box --no-metrics --closeup 20,20,40,40", str(level)))
        seen = screenshot(page.locator("#overview"))
        colours = {tuple(colour) for colour in seen.reshape(-1, 3)}
        assert {(0, 0, 0), (255, 255, 255)} <= colours


def damaged(text: str) -> str:
    """A page with one letter of the first output's pixels changed."""
    at = re.search(r'id="pixels-0">', text).end() + 40
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_damage_is_told(browser, written, tmp_path):
    (tmp_path / "a.html").write_text(damaged(written.read_text()))
    page = browser.new_page()
    page.goto((tmp_path / "a.html").as_uri())
    page.wait_for_selector("#alert:visible")
    assert re.match("(Not exact|Cannot show the images)", page.inner_text("#alert"))
    page.close()


def test_a_wrong_checksum_is_told(opened, written, tmp_path):
    text = re.sub(r'"crc":\d+', '"crc":1', written.read_text(), count=1)
    (tmp_path / "a.html").write_text(text)
    page = opened(tmp_path / "a.html")
    assert "Not exact: the pixels of box differ" in page.inner_text("#alert")


def test_no_alert_without_damage(page, results):
    assert not page.is_visible("#alert")
    page.evaluate("View.setSplit(1)")
    assert agree(shown(page), expected(page, results["box"]))
