"""The page of a comparison in Firefox, also where it protects against fingerprinting."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import time
from urllib.parse import parse_qs

import numpy as np
import pytest

from support.command import places
from support.firefox import FIREFOX, Firefox

pytestmark = pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed")


@pytest.fixture(
    scope="module", params=[{}, {"privacy.resistFingerprinting": True}], ids=["plain", "protected"]
)
def firefox(request, tmp_path_factory):
    running = Firefox(tmp_path_factory.mktemp("firefox") / "profile", (1000, 900), request.param)
    yield running
    running.close()


@pytest.fixture
def page(firefox, written):
    """The page, open and ready; it must not complain."""
    firefox.call("WebDriver:Navigate", url="about:blank")  # a new hash alone loads nothing
    firefox.open(written.as_uri())
    yield firefox
    assert firefox.complaints(written.as_uri()) == []
    assert firefox.run("return performance.getEntriesByType('resource').map((one) => one.name)") == []


def link(page) -> dict[str, str]:
    """The state, as the address tells it."""
    page.until("return location.hash.includes('zoom=')")
    before = None
    while (now := page.run("return location.hash.slice(1)")) != before:
        before = now
        page.run("return new Promise((done) => setTimeout(done, 400))")
    return {name: values[0] for name, values in parse_qs(now).items()}


def shows(page, result: np.ndarray) -> bool:
    """Whether the screen shows what is visible of an output, soon, as a busy machine paints late."""
    for _ in range(20):
        if shows_now(page, result):
            return True
        time.sleep(0.25)
    return False


def shows_now(page, result: np.ndarray) -> bool:
    """Whether it shows that, pixel for pixel, and nothing covers it."""
    page.run(
        "for (const part of document.querySelectorAll('.tag, #divider')) part.style.visibility = 'hidden'"
    )
    seen = page.screenshot()
    page.run("for (const part of document.querySelectorAll('.tag, #divider')) part.style.visibility = ''")
    now = link(page)
    zoom, (x, y) = int(now["zoom"]), map(float, now["at"].split(","))
    size = page.run("return [document.getElementById('view').width, document.getElementById('view').height]")
    (left, right), (top, bottom) = (
        (max(0, math.ceil(at - side / 2 / zoom) + 1), min(most, math.floor(at + side / 2 / zoom) - 1))
        for at, side, most in zip((x, y), size, result.shape[1::-1], strict=True)
    )
    panel = np.kron(result[top:bottom, left:right], np.ones((zoom, zoom, 1), np.uint8))
    return len(places(seen, panel)) == 1


def place_of_view(page) -> list[float]:
    return page.run(
        "const { x, y, width, height } = document.getElementById('view').getBoundingClientRect();"
        "return [x, y, width, height]"
    )


def test_pixels_are_exact(page, results):
    for label in ("max", "dpid, λ = 0.5"):
        page.choose("#left", label)
        page.choose("#right", label)
        assert shows(page, results[label])
    assert page.run("return document.getElementById('alert').hidden")


def test_the_slider_moves_through_the_sweep(page, results):
    page.run("document.getElementById('slider-lambda').focus()")
    page.press("\ue011")  # Home
    now = link(page)
    assert (now["left"], now["right"]) == ("box", "dpid:lambda=0")
    assert shows(page, results["box"])


def test_keys_and_the_hash(page, written):
    page.run("document.getElementById('view').focus()")
    for key in ("x", "5", "+", "f"):
        page.press(key)
    now = link(page)
    assert (now["left"], now["right"], now["mode"]) == ("dpid:lambda=1", "max", "difference")
    hash_ = page.run("return location.hash")
    page.call("WebDriver:Navigate", url="about:blank")
    page.open(written.as_uri() + hash_)
    assert link(page) == now
    assert page.run("return document.getElementById('right-tag').textContent") == "max − box"


def test_pinch_and_scroll(page):
    page.run("scrollTo(0, 0)")
    before = link(page)
    left, top, width, height = place_of_view(page)
    x, y = left + width / 2, top + height / 3
    page.move_fingers(*[[(x + side * part, y) for part in (40, 50, 60, 80)] for side in (-1, 1)])
    now = link(page)
    assert int(now["zoom"]) == 2 * int(before["zoom"])
    assert page.run("return scrollY") == 0


def test_the_difference(page, results):
    page.choose("#right", "max")
    page.click("input[value=difference]")
    page.choose("#gain", "1")
    left, top, width, height = map(int, place_of_view(page))
    seen = page.screenshot()[top + height // 2 - 50 : top + height // 2 + 50, left + width // 2 - 100 :][
        :, :200
    ]
    # Brighter than box is orange, darker would be blue: max is never darker.
    assert (seen[..., 0].astype(int) >= seen[..., 2].astype(int) - 1).all()
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 20
    page.click("input[value=swipe]")


def test_the_values_under_the_cursor(page, results):
    now = link(page)
    left, top, width, height = place_of_view(page)
    page.point(left + 5, top + 5)
    page.point(left + 0.4 * width, top + height / 2)
    text = page.run("return document.getElementById('values').innerText")
    column, row = map(int, re.match(r"(\d+), (\d+)", text).groups())
    x, y = map(float, now["at"].split(","))
    assert abs(column + 0.5 - (x - 0.1 * width / int(now["zoom"]))) <= 1 and abs(row + 0.5 - y) <= 1
    for label in ("box", "dpid, λ = 1"):
        assert f"{label} {' '.join(map(str, results[label][row, column]))}" in text
    assert "The largest share is" in page.run("return document.getElementById('weights-caption').innerText")


def test_without_a_clipboard_the_link_is_shown_or_copied(page):
    page.click("#copy-link")
    page.until(
        "return document.getElementById('copy-dialog').open"
        " || document.getElementById('copy-link').textContent === 'Copied'"
    )
    if page.run("return document.getElementById('copy-dialog').open"):
        assert "left=box" in page.run("return document.getElementById('copy-text').value")
        page.click("#copy-dialog button")


def test_print_to_pdf(page, tmp_path):
    pdf = page.printed()
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    if shutil.which("pdftotext"):
        (tmp_path / "page.pdf").write_bytes(pdf)
        words = subprocess.run(
            ["pdftotext", tmp_path / "page.pdf", "-"], capture_output=True, text=True
        ).stdout
        assert "dpid" in words and "Numbers" in words and "Zoom" not in words


@pytest.mark.parametrize("ratio", ["1.5", "2"])
def test_dense_screens(tmp_path, written, results, ratio):
    dense = Firefox(tmp_path / "profile", (700, 700), {"layout.css.devPixelsPerPx": ratio})
    try:
        dense.open(written.as_uri())
        dense.choose("#left", "max")
        dense.choose("#right", "max")
        assert dense.run("return devicePixelRatio") == float(ratio)
        assert shows(dense, results["max"])
    finally:
        dense.close()


def test_a_narrow_dark_screen(tmp_path, written):
    """In a frame, as windows of Firefox are at least 450 pixels wide."""
    frame = f'<meta charset="utf-8"><iframe src="{written.as_uri()}" width="390" height="800"></iframe>'
    (tmp_path / "frame.html").write_text(frame)
    preferences = {"layout.css.prefers-color-scheme.content-override": 0}
    narrow = Firefox(tmp_path / "profile", (600, 900), preferences)
    try:
        narrow.call("WebDriver:Navigate", url=(tmp_path / "frame.html").as_uri())
        narrow.call("WebDriver:SwitchToFrame", id=0)
        narrow.until("return 'ready' in document.documentElement.dataset")
        assert narrow.run("return [innerWidth, document.documentElement.scrollWidth <= innerWidth]") == [
            390,
            True,
        ]
        top, bottom = narrow.run(
            "const { top, bottom } = document.getElementById('stage').getBoundingClientRect();"
            "return [top, bottom]"
        )
        assert top < 200 and min(bottom, 400) - top >= 200
        assert max(narrow.screenshot()[15, 15].tolist()) < 60
    finally:
        narrow.close()
