"""The page of a comparison in Firefox, also where it protects against fingerprinting."""

from __future__ import annotations

import re
import shutil
import subprocess
from urllib.parse import parse_qs

import numpy as np
import pytest

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


def view_of(page, result: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the view shows, and what it would show of an output; -1 where something covers it."""
    page.run(
        "for (const part of document.querySelectorAll('.tag, #divider')) part.style.visibility = 'hidden'"
    )
    seen = page.screenshot("#view")
    now = link(page)
    zoom = int(now["zoom"])
    height, width = seen.shape[:2]
    columns, rows = page.run(
        "return [document.getElementById('view').width, document.getElementById('view').height]"
    )
    assert (width, height) == (columns, rows)
    left, top = (float(part) for part in now["at"].split(","))
    corner = round(width / 2 - left * zoom), round(height / 2 - top * zoom)
    y, x = np.mgrid[0:height, 0:width]
    row, column = (y - corner[1]) // zoom, (x - corner[0]) // zoom
    inside = (row >= 0) & (row < result.shape[0]) & (column >= 0) & (column < result.shape[1])
    inside[:, [0, 1, -2, -1]] = inside[[0, 1, -2, -1]] = False  # the border of the stage
    wanted = np.full((height, width, 3), -1)
    wanted[inside] = result[row[inside], column[inside]]
    page.run("for (const part of document.querySelectorAll('.tag, #divider')) part.style.visibility = ''")
    return seen, wanted


def place_of_view(page) -> list[float]:
    return page.run(
        "const { x, y, width, height } = document.getElementById('view').getBoundingClientRect();"
        "return [x, y, width, height]"
    )


def agree(seen: np.ndarray, wanted: np.ndarray) -> bool:
    there = wanted[..., 0] >= 0
    return bool(there.any()) and np.array_equal(seen[there], wanted[there])


def test_pixels_are_exact(page, results):
    for label in ("max", "dpid, λ = 0.5"):
        page.choose("#left", label)
        page.choose("#right", label)
        assert agree(*view_of(page, results[label]))
    assert page.run("return document.getElementById('alert').hidden")


def test_the_slider_moves_through_the_sweep(page, results):
    page.run("document.getElementById('slider-lambda').focus()")
    page.press("\ue011")  # Home
    now = link(page)
    assert (now["left"], now["right"]) == ("box", "dpid:lambda=0")
    assert agree(*view_of(page, results["box"]))


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
    seen, wanted = view_of(page, results["max"])
    there = wanted[..., 0] >= 0
    # Brighter than box is orange, darker would be blue: max is never darker.
    assert (seen[there][:, 0].astype(int) >= seen[there][:, 2] - 1).all()
    assert len(np.unique(seen[there], axis=0)) > 20
    page.click("input[value=swipe]")


def test_the_values_under_the_cursor(page, results):
    now = link(page)
    left, top, width, height = place_of_view(page)
    page.point(left + width / 4, top + height / 2)
    text = page.run("return document.getElementById('values').innerText")
    column, row = map(int, re.match(r"(\d+), (\d+)", text).groups())
    x, y = map(float, now["at"].split(","))
    assert abs(column + 0.5 - (x - width / 4 / int(now["zoom"]))) <= 1 and abs(row + 0.5 - y) <= 1
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
        assert agree(*view_of(dense, results["max"]))
    finally:
        dense.close()


def test_a_narrow_dark_screen(tmp_path, written):
    narrow = Firefox(
        tmp_path / "profile", (450, 844), {"layout.css.prefers-color-scheme.content-override": 0}
    )
    try:
        narrow.open(written.as_uri())
        assert narrow.run("return document.documentElement.scrollWidth <= innerWidth")
        red, green, blue = narrow.screenshot()[2, 2].tolist()
        assert max(red, green, blue) < 60
    finally:
        narrow.close()
