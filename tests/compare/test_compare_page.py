"""The page of a comparison in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.command import places

playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install 'dpid-cli[browser]'"
)
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCALE = 4
LABELS = ["box", "dpid, λ = 0", "dpid, λ = 0.5", "dpid, λ = 1", "max", "input"]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def source() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (160, 240, 3), np.uint8)


@pytest.fixture(scope="module")
def written(tmp_path_factory, source) -> Path:
    """The page of a noisy image, in which neighbouring pixels differ."""
    from click.testing import CliRunner

    from dpid_cli.cli import main

    folder = tmp_path_factory.mktemp("page")
    Image.fromarray(source).save(folder / "photo.png")
    words = ("-m", "box", "-m", "dpid", "-m", "max", "--sweep", "lambda=0:1:0.5", "--crop", "40,40,80,80")
    target = folder / "page.html"
    done = CliRunner().invoke(
        main, ["compare", str(folder / "photo.png"), "-s", str(SCALE), *words, "-o", str(target)]
    )
    assert done.exit_code == 0 and done.stderr.count("\n") == 1
    return target


@pytest.fixture(scope="module")
def results(source) -> dict[str, np.ndarray]:
    """The outputs of the library, by the labels of the page."""
    made = {"box": {"method": "box"}, "max": {"method": "max"}}
    made |= {f"dpid, λ = {value}": {"lambda_": float(value)} for value in ("0", "0.5", "1")}
    return {label: dpid_cli.downscale(source, scale=SCALE, **options) for label, options in made.items()}


@pytest.fixture
def page(browser, written, request):
    """The page, open and ready; it must not print to the console or use the network."""
    options = {"viewport": {"width": 1000, "height": 900}} | getattr(request, "param", {})
    context = browser.new_context(**options)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on(
        "request", lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:")) else 0
    )
    opened.goto(written.as_uri())
    opened.wait_for_selector("html[data-ready]")
    yield opened
    assert said == []
    context.close()


def shown(page) -> np.ndarray:
    """The pixels of the view."""
    data = page.evaluate("document.getElementById('view').toDataURL()").split(",")[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.array(image.convert("RGB"))


def until(page, expression: str) -> None:
    """Wait until an expression is true; the policy of the page forbids Playwright's own way to wait."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def chosen(page) -> tuple[str, str]:
    return tuple(
        page.evaluate(f"document.getElementById('{side}').selectedOptions[0].textContent")
        for side in ("left", "right")
    )


def choose(page, left: str, right: str) -> None:
    page.select_option("#left", label=left)
    page.select_option("#right", label=right)


def state(page) -> dict:
    return page.evaluate("({...state})")


def expected(page, result: np.ndarray, offset: int = 0) -> np.ndarray:
    """The pixels of the view if it showed only this output, and -1 outside the output."""
    now = state(page)
    width, height = page.evaluate("[view.width, view.height]")
    y, x = np.mgrid[0:height, 0:width]
    row, column = (y - now["y"]) // now["zoom"], (x - now["x"] - offset) // now["zoom"]
    inside = (row >= 0) & (row < result.shape[0]) & (column >= 0) & (column < result.shape[1])
    wanted = np.full((height, width, 3), -1)
    wanted[inside] = result[row[inside], column[inside]]
    return wanted


def agree(seen: np.ndarray, wanted: np.ndarray) -> bool:
    there = wanted[..., 0] >= 0
    return bool(there.any()) and np.array_equal(seen[there], wanted[there])


def test_swiping_shows_both_pixel_for_pixel(page, results):
    choose(page, "box", "max")
    for part in (0, 30, 100):
        page.evaluate(f"$('split').value = {part}; $('split').dispatchEvent(new Event('input'))")
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
    page.evaluate("setSplit(0)")
    for _ in range(2):
        assert agree(shown(page), expected(page, results["max"]))
        page.click("#in")
    assert page.evaluate("devicePixelRatio") == ratio
    assert page.evaluate("Math.abs(view.width - view.clientWidth * devicePixelRatio)") < 1
    dense.close()


def test_the_screen_shows_what_the_view_holds(page, results):
    choose(page, "max", "max")
    page.evaluate(
        "setSplit(0); document.querySelectorAll('.tag').forEach((tag) => (tag.style.visibility = 'hidden'))"
    )
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as image:
        seen = np.array(image.convert("RGB"))
    now = state(page)
    panel = np.kron(results["max"], np.ones((now["zoom"], now["zoom"], 1), np.uint8))
    assert places(seen, panel)


def test_blinking(page, results):
    choose(page, "box", "max")
    page.check("input[value=blink]")
    page.click("#blink")  # pause
    assert page.inner_text("#blink") == "Resume" and not state(page)["blinking"]
    found = []
    for _ in range(2):
        found.append(
            [label for label in ("box", "max") if agree(shown(page), expected(page, results[label]))]
        )
        tags = [page.is_visible(f"#{side}-tag") for side in ("left", "right")]
        assert tags == [found[-1] == ["box"], found[-1] == ["max"]]
        page.click("#other")
    assert sorted(found) == [["box"], ["max"]]
    page.click("#blink")
    before = state(page)["second"]
    until(page, f"state.second !== {str(before).lower()}")
    until(page, f"state.second === {str(before).lower()}")


@pytest.mark.parametrize("page", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_blinks_by_itself_where_motion_is_unwanted(page):
    page.check("input[value=blink]")
    assert not state(page)["blinking"]


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
    page.evaluate("setSplit(0)")
    page.focus("#view")
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "-", "ArrowDown"):
        page.keyboard.press(key)
        now = state(page)
        assert all(isinstance(now[name], int) for name in ("x", "y", "zoom"))
        assert agree(shown(page), expected(page, results["max"]))
    box = page.locator("#view").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = state(page)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 33, middle[1] + 21)
    page.mouse.up()
    now = state(page)
    assert (now["x"] - before["x"], now["y"] - before["y"]) == (33, 21)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    until(page, f"state.zoom === {before['zoom'] + 1}")
    assert agree(shown(page), expected(page, results["max"]))
    page.click("#fit")
    now = state(page)
    width, height = page.evaluate("[view.width, view.height]")
    assert now["zoom"] == min(width // 60, height // 40)
    page.evaluate("zoomTo(1000)")
    assert state(page)["zoom"] == 64
    page.evaluate("move(1e6, -1e6)")  # never out of sight
    assert (expected(page, results["max"])[..., 0] >= 0).sum() >= 40 * 40


def test_going_to_a_place(page):
    page.click("#regions button")
    now = state(page)
    width, height = page.evaluate("[view.width, view.height]")
    corners = [now["x"] + 10 * now["zoom"], now["x"] + 30 * now["zoom"]]
    assert abs(sum(corners) / 2 - width / 2) <= 1 and corners[0] >= 0 and corners[1] <= width
    assert abs(now["y"] + 20 * now["zoom"] - height / 2) <= 1


def test_lambda_goes_through_the_sweep(page, results):
    choose(page, "box", "box")
    assert page.inner_text("#sweep-lambda-value") == "\N{EN DASH}"
    page.evaluate("setSplit(0)")
    slider = page.locator("#sweeps input")
    slider.focus()
    seen = []
    for key in ("End", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        seen.append(chosen(page)[1])
        assert agree(shown(page), expected(page, results[seen[-1]]))
        assert (
            slider.get_attribute("aria-valuetext") == page.inner_text("#sweep-lambda-value") == seen[-1][6:]
        )
    assert seen == ["dpid, λ = 1", "dpid, λ = 0.5", "dpid, λ = 0"]


def test_keys(page):
    choose(page, "box", "dpid, λ = 0.5")
    page.focus("#view")
    page.keyboard.press("x")
    assert chosen(page) == ("dpid, λ = 0.5", "box")
    page.keyboard.press("x")
    page.keyboard.press(".")
    assert chosen(page)[1] == "dpid, λ = 1"
    page.keyboard.press(",")
    assert chosen(page)[1] == "dpid, λ = 0.5"
    page.keyboard.press("]")
    assert state(page)["split"] == pytest.approx(0.55) and page.input_value("#split") == "55"
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert state(page)["split"] == pytest.approx(0.45)
    page.keyboard.press("+")
    page.keyboard.press("0")
    assert state(page)["zoom"] == page.evaluate("Math.floor(Math.min(view.width / 60, view.height / 40))")
    page.check("input[value=blink]")
    page.focus("#view")
    page.keyboard.press(" ")
    second = state(page)["second"]
    page.keyboard.press("b")
    assert state(page)["second"] is not second and not state(page)["blinking"]


def test_everything_can_be_reached_by_tab_and_has_a_name(page):
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    for name in ("theme", "left", "swap", "right", "split", "out", "in", "fit", "sweep-lambda", "view"):
        assert name in reached, name
    snapshot = page.locator("body").aria_snapshot()
    for told in (
        'combobox "Left"',
        'combobox "Right"',
        'radio "with a divider"',
        'slider "Divider"',
        'slider "λ on the right"',
        'button "Zoom in"',
        'button "Go to region A"',
        'table "Numbers"',
        'rowheader "dpid, λ = 0.5"',
        'columnheader "SSIM"',
        'button "Swap left and right"',
        'application "input and box, with a divider, ',
    ):
        assert told in snapshot, told
    assert not re.search(r"- (button|slider|combobox|application|img|radio)( \[[^\]]*\])*:?$", snapshot, re.M)
    assert page.get_attribute("#view", "aria-label").startswith("input and box, with a divider, ")
    page.select_option("#right", label="max")
    assert "max" in page.inner_text("[role=status]") and "max" in page.get_attribute("#view", "aria-label")


def contrast(one: str, other: str) -> float:
    """Contrast of two colours ``rgb(r, g, b)`` by WCAG 2."""

    def luminance(colour):
        values = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_colours_follow_the_system_until_chosen(page):
    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    system = ground()
    seen = []
    for name in ("light", "dark", "system"):
        page.click("#theme")
        assert page.inner_text("#theme-name") == name
        seen.append(ground())
        for part in ("body", "#status", "footer p", "label", "thead th"):
            style = page.evaluate(f"getComputedStyle(document.querySelector('{part}')).color")
            assert contrast(style, ground()) >= 4.5
    assert seen[0] == "rgb(255, 255, 255)" and seen[1] != seen[0] and seen[2] == system


@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 640}}], indirect=True)
def test_narrow_screens_need_no_scrolling_sideways(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for name in ("left", "right", "split", "in", "fit", "sweep-lambda", "view"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 320, name


def test_the_input_is_there_to_compare_with(page, source):
    choose(page, "input", "input")
    now = state(page)
    seen = shown(page)[now["y"] : now["y"] + 40 * now["zoom"], now["x"] : now["x"] + 60 * now["zoom"]]
    with Image.fromarray(source).resize(seen.shape[1::-1], Image.Resampling.BILINEAR) as wanted:
        correlation = np.corrcoef(seen.ravel(), np.array(wanted).ravel())[0, 1]
    assert correlation > 0.9


@pytest.fixture
def glass(tmp_path, dpid) -> Path:
    """A page of an image whose left half is transparent."""
    pixels = np.full((40, 80, 4), 255, np.uint8)
    pixels[:, :40, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "glass.png")
    done = dpid(
        "compare",
        str(tmp_path / "glass.png"),
        "-s",
        "4",
        "-m",
        "nearest",
        "--no-metrics",
        "-o",
        str(tmp_path / "a.html"),
    )
    assert done.exit_code == 0
    return tmp_path / "a.html"


def test_transparency_shows_squares(browser, glass):
    page = browser.new_page()
    page.goto(glass.as_uri())
    page.wait_for_selector("html[data-ready]")
    choose(page, "nearest", "nearest")
    page.evaluate("setSplit(1)")
    now = state(page)
    seen = shown(page)[now["y"] : now["y"] + 10 * now["zoom"], now["x"] : now["x"] + 20 * now["zoom"]]
    half = seen.shape[1] // 2
    assert (seen[:, half:-5] == 255).all() and len(np.unique(seen[:, :half].reshape(-1, 3), axis=0)) == 2
    choose(page, "input", "input")
    part = np.s_[now["y"] : now["y"] + len(seen), now["x"] : now["x"] + half - now["zoom"]]
    np.testing.assert_array_equal(shown(page)[part], seen[:, : half - now["zoom"]])
    assert not page.is_visible("#sweeps input")
    page.close()


def test_svg_is_drawn_pixel_for_pixel(browser, written, results):
    from click.testing import CliRunner

    from dpid_cli.cli import main

    target = written.with_name("sheet.svg")
    words = ["compare", str(written.with_name("photo.png")), "-s", str(SCALE), "-m", "max", "--crops", "0"]
    assert CliRunner().invoke(main, [*words, "-o", str(target)]).exit_code == 0
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    page.goto(target.as_uri())
    with Image.open(io.BytesIO(page.screenshot())) as image:
        assert places(np.array(image.convert("RGB")), np.kron(results["max"], np.ones((4, 4, 1), np.uint8)))
    page.close()


def test_the_heading_of_an_index_fits_narrow_screens(browser, tmp_path):
    from click.testing import CliRunner

    from dpid_cli.cli import main

    images, index = tmp_path / "images", tmp_path / "index.html"
    images.mkdir()
    for name in "a.png", "b.png":
        Image.new("RGB", (32, 32)).save(images / name)
    words = ["compare", str(images), "-s", str(SCALE), "-m", "box", "-o", str(index)]
    assert CliRunner().invoke(main, words).exit_code == 0
    page = browser.new_page(viewport={"width": 420, "height": 700})
    page.goto(index.as_uri())
    name = "Means and standard deviations over the images"
    box = page.get_by_role("heading", name=name, exact=True).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 420
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    for role in "region", "table":
        assert page.get_by_role(role, name=name, exact=True).count() == 1
    page.close()
