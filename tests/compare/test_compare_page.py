"""The page of a comparison in Chromium: what it shows, pixel for pixel, and how it is changed."""

from __future__ import annotations

import numpy as np
import pytest

from dpid_cli import downscale
from support.browsing import (
    agree,
    choose,
    chosen,
    expected,
    screenshot,
    shown,
    state,
)
from support.chromium import CHROMIUM, FLAGS, until
from support.command import invoke, places

SCALE = 4


def test_box_against_dpid_at_a_place_comes_first(page, results):
    assert chosen(page) == ("box", "dpid, λ = 1")
    now = state(page)
    assert now["zoom"] == 8  # the input, too, in whole pixels
    width, height = page.evaluate("[View.canvas.width, View.canvas.height]")
    assert now["x"] == (width - 479) // 2 and now["y"] == (height - 319) // 2  # all of it fits
    at = now["x"] + 20 * now["zoom"]  # the middle of the place
    assert now["split"] * width == pytest.approx(at)
    seen = shown(page)
    assert agree(seen[:, : at - 3], expected(page, results["box"])[:, : at - 3])
    assert agree(seen[:, at + 3 :], expected(page, results["dpid, λ = 1"])[:, at + 3 :])


def test_places_at_the_border_leave_no_gap(opened, paged):
    image = np.random.default_rng(2).integers(0, 256, (400, 800, 3), np.uint8)
    page = opened(paged(image, "-s 2 -m box -m max --no-metrics --closeup 0,0,40,40 --closeup 760,360,40,40"))
    for letter, corner in (("A", (0, 0)), ("B", (400, 200))):
        page.click(f"#regions button >> text={letter}")
        left, top, right, bottom = page.evaluate("View.visible()")
        now = state(page)
        width, height = page.evaluate("[View.canvas.width, View.canvas.height]")
        if letter == "A":
            assert (left, top, now["x"], now["y"]) == (0, 0, 0, 0)
        else:
            assert (right, bottom) == corner
            assert (now["x"] + 400 * now["zoom"], now["y"] + 200 * now["zoom"]) == (width, height)
    assert "plain average" in page.inner_text("#lead") and "Drag the line" in page.inner_text("#lead")


def test_swiping_shows_both_pixel_for_pixel(page, results):
    choose(page, "box", "max")
    for part in (0, 30, 100):
        page.evaluate(f"View.setSplit({part / 100})")
        seen, at = shown(page), round(part / 100 * shown(page).shape[1])
        left, right = (expected(page, results[label]) for label in ("box", "max"))
        assert at < 3 or agree(seen[:, : at - 3], left[:, : at - 3])
        assert part == 100 or agree(seen[:, at + 3 :], right[:, at + 3 :])


@pytest.mark.parametrize("ratio", [1.5, 2])
def test_a_pixel_covers_whole_pixels_of_dense_screens(browser, written, results, ratio):
    dense = browser.browser_type.launch(
        executable_path=CHROMIUM, args=[*FLAGS, f"--force-device-scale-factor={ratio}"]
    )
    page = dense.new_page(no_viewport=True)
    page.goto(written.as_uri())
    page.wait_for_selector("html[data-ready]")
    choose(page, "max", "max")
    page.evaluate("View.setSplit(0)")
    for _ in range(2):
        assert agree(shown(page), expected(page, results["max"]))
        page.click("#in")
    assert page.evaluate("devicePixelRatio") == ratio
    assert page.evaluate("Math.abs(View.canvas.width - View.canvas.clientWidth * devicePixelRatio)") < 1
    dense.close()


def test_the_screen_shows_what_the_view_holds(page, results):
    choose(page, "max", "max")
    page.click("#fit")
    page.evaluate("document.querySelectorAll('.tag, #divider').forEach((tag) => (tag.style.opacity = 0))")
    panel = np.kron(results["max"], np.ones((state(page)["zoom"],) * 2 + (1,), np.uint8))
    assert places(screenshot(page, full_page=True), panel)


def test_blinking(page, results):
    choose(page, "box", "max")
    page.check("input[value=blink]")
    page.click("#blink")  # pause
    assert page.inner_text("#blink") == "Resume"
    found, tags = [], []
    for _ in range(2):
        found.append(
            [label for label in ("box", "max") if agree(shown(page), expected(page, results[label]))]
        )
        visible = [page.is_visible(f"#{side}-tag") for side in ("left", "right")]
        assert visible == [found[-1] == ["box"], found[-1] == ["max"]]
        box = page.locator("#left-tag" if visible[0] else "#right-tag").bounding_box()
        tags.append((box["x"], box["y"]))
        page.click("#other")
    assert sorted(found) == [["box"], ["max"]] and tags[0] == tags[1]
    page.click("#blink")
    before = state(page)["second"]
    until(page, f"View.state.second !== {str(before).lower()}")
    until(page, f"View.state.second === {str(before).lower()}")


@pytest.mark.parametrize("page", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_blinks_by_itself_where_motion_is_unwanted(page):
    page.check("input[value=blink]")
    assert page.inner_text("#blink") == "Resume"
    page.wait_for_timeout(900)
    assert not state(page)["second"]


def test_side_by_side(page, results):
    choose(page, "box", "max")
    page.check("input[value=beside]")
    seen = shown(page)
    half = seen.shape[1] // 2
    left = expected(page, results["box"])
    right = expected(page, results["max"], seen.shape[1] - half)
    assert agree(seen[:, : half - 3], left[:, : half - 3])
    assert agree(seen[:, half + 3 :], right[:, half + 3 :])


def test_zoom_and_pan_stay_whole(page, results):
    choose(page, "max", "max")
    page.evaluate("View.setSplit(0)")
    page.focus("#view")
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "-", "ArrowDown"):
        page.keyboard.press(key)
        now = state(page)
        assert all(isinstance(now[name], int) for name in ("x", "y", "zoom"))
        assert agree(shown(page), expected(page, results["max"]))
    page.evaluate("View.zoomTo(1000)")
    assert state(page)["zoom"] == 64 and page.inner_text("#zoom") == "×64"
    page.evaluate("View.move(1e6, -1e6)")  # never out of sight
    assert (expected(page, results["max"])[..., 0] >= 0).sum() >= 40 * 40


def reduced(pixels: np.ndarray, n: int) -> np.ndarray:
    """Means of n by n pixels, and of what is left at the right and the bottom."""
    rows, columns = -(-pixels.shape[0] // n), -(-pixels.shape[1] // n)
    blocks = [
        [pixels[n * y : n * y + n, n * x : n * x + n].mean(axis=(0, 1)) for x in range(columns)]
        for y in range(rows)
    ]
    return np.floor(np.array(blocks) + 0.5).astype(np.uint8)


@pytest.mark.parametrize("page", [{"viewport": {"width": 1000, "height": 900}}], indirect=True)
def test_fit_fits_and_below_1_is_marked(page, results):
    page.click("#fit")
    now = state(page)
    width, height = page.evaluate("[View.canvas.width, View.canvas.height]")
    assert now["zoom"] == min(width // 60, height // 40) and not page.is_visible("#zoom-tag")
    choose(page, "max", "max")
    page.evaluate("View.setSplit(0); View.zoomTo(1 / 7)")
    now = state(page)
    assert page.inner_text("#zoom") == "÷7" and "reduced 7×" in page.inner_text("#zoom-tag")
    small = reduced(results["max"], 7)
    part = shown(page)[now["y"] : now["y"] + 6, now["x"] : now["x"] + 9]
    assert np.abs(part.astype(int) - small).max() <= 1


def test_an_image_larger_than_the_view_fits(opened, paged):
    pixels = np.random.default_rng(1).integers(0, 256, (90, 6000, 3), np.uint8)
    page = opened(paged(pixels, "-s 2 -m max -m box --no-metrics"))
    page.click("#fit")
    now, width = state(page), page.evaluate("View.canvas.width")
    n = round(1 / now["zoom"])
    assert n > 1 and 3000 / n <= width < 3000 / (n - 1)
    assert now["x"] >= 0 and now["x"] + 3000 / n <= width
    assert page.is_visible("#zoom-tag") and f"÷{n}" == page.inner_text("#zoom")


def test_lambda_goes_through_the_sweep_and_box_is_its_left_end(opened, paged, source):
    """In linear light, which the page does not compute itself."""
    page = opened(paged(source, "-s 4 -m box -m dpid --sweep lambda=0:1:0.5 --linear --no-metrics"))
    results = {
        f"dpid, λ = {value:g}": downscale(source, scale=SCALE, lambda_=value, linear=True)
        for value in (0, 0.5, 1)
    }
    slider = page.locator("#slider-lambda")
    assert page.inner_text("#slider-lambda-value") == "λ = 1"
    page.evaluate("View.setSplit(0)")
    slider.focus()
    seen = []
    for key in ("End", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        seen.append(chosen(page)[1])
        assert agree(shown(page), expected(page, results[seen[-1]]))
        assert slider.get_attribute("aria-valuetext") == page.inner_text("#slider-lambda-value")
    assert seen == ["dpid, λ = 1", "dpid, λ = 0.5", "dpid, λ = 0"]
    choose(page, "dpid, λ = 0.5", "box")
    assert page.inner_text("#slider-lambda-value") == "λ = 0.5"  # of the left side, which has one
    slider.focus()
    page.keyboard.press("End")
    assert chosen(page) == ("dpid, λ = 1", "box")


def test_without_a_sweep_lambda_runs_from_box_to_dpid(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid -m dpp --linear --no-metrics"))
    assert chosen(page) == ("box", "dpid, λ = 1")  # box is there to compare with
    page.focus("#slider-lambda")
    page.keyboard.press("Home")
    assert chosen(page) == ("box", "box") and page.inner_text("#slider-lambda-value") == "0, box"
    page.keyboard.press("End")
    assert page.inner_text("#slider-lambda-value") == "λ = 1" and chosen(page) == ("box", "dpid, λ = 1")
    choose(page, "dpp, λ = 1", "dpid, λ = 1")
    page.focus("#slider-lambda")
    page.keyboard.press("Home")  # the slider stays with its side
    assert chosen(page) == ("dpp, λ = 1", "box") and page.inner_text("#slider-lambda-value") == "0, box"
    page.keyboard.press("End")
    assert chosen(page) == ("dpp, λ = 1", "dpid, λ = 1")


def test_grids_have_two_sliders(opened, paged, source):
    page = opened(
        paged(source, "-s 4 -m dpp --sweep variant=sym,asym --sweep alpha=0,0.1 --linear --no-metrics")
    )
    page.select_option("#right", index=1)
    for name, value in (("variant", "asym"), ("alpha", "0.1")):
        page.focus(f"#slider-{name}")
        page.keyboard.press("End")
        assert value in page.inner_text(f"#slider-{name}-value")
    assert "variant = asym" in chosen(page)[1] and "α = 0.1" in chosen(page)[1]


def test_keys(page):
    choose(page, "box", "dpid, λ = 0.5")
    page.evaluate("View.setSplit(0.5)")
    page.focus("#view")
    page.keyboard.press("x")
    assert chosen(page) == ("dpid, λ = 0.5", "box")
    page.keyboard.press("x")
    page.keyboard.press(".")
    assert chosen(page)[1] == "dpid, λ = 0.51"
    page.keyboard.press(",")
    assert chosen(page)[1] == "dpid, λ = 0.5"
    page.keyboard.press("]")
    assert state(page)["split"] == pytest.approx(0.55)
    assert page.get_attribute("#divider", "aria-valuenow") == "55"
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert state(page)["split"] == pytest.approx(0.45)
    page.keyboard.press("5")
    page.keyboard.press("Shift+Digit2")
    assert chosen(page) == ("dpid, λ = 0", "max")
    page.keyboard.press("i")
    assert chosen(page)[1] == "input"
    page.keyboard.press("9")  # there are fewer
    assert chosen(page)[1] == "input"
    for key, mode in (("d", "beside"), ("f", "difference"), ("s", "swipe"), ("k", "blink")):
        page.keyboard.press(key)
        assert page.is_checked(f"input[value={mode}]")
    page.keyboard.press(" ")
    second = state(page)["second"]
    page.keyboard.press("b")
    assert state(page)["second"] is not second and page.inner_text("#blink") == "Resume"


def test_the_divider_by_keyboard_and_mouse(page):
    page.evaluate("View.setSplit(0.5)")
    page.focus("#divider")
    for key, part in (("ArrowLeft", 0.49), ("PageUp", 0.59), ("Home", 0), ("End", 1)):
        page.keyboard.press(key)
        assert state(page)["split"] == pytest.approx(part)
    page.evaluate("View.setSplit(0.5)")
    box = page.locator("#view").bounding_box()
    handle = page.locator("#divider span").bounding_box()
    middle = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    assert abs(middle[0] - (box["x"] + box["width"] / 2)) <= 1
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle[1] + 30)
    page.mouse.up()
    assert state(page)["split"] == pytest.approx(0.25, abs=0.01)


def test_help_opens_by_the_question_mark(page):
    page.keyboard.press("?")
    assert page.locator("#help").is_visible() and "Move the image" in page.inner_text("#help")
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.click("#help-button")
    assert page.locator("#help").is_visible()


def test_svg_is_drawn_pixel_for_pixel(browser, written, results):
    target = written.with_name("sheet.svg")
    words = ["compare", str(written.with_name("photo.png")), "-s", str(SCALE), "-m", "max", "--closeups", "0"]
    assert invoke(*words, "-o", str(target)).exit_code == 0
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    page.goto(target.as_uri())
    assert places(screenshot(page), np.kron(results["max"], np.ones((4, 4, 1), np.uint8)))
    page.close()
