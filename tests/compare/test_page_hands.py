"""The page in Chromium: fingers, wheel, the strip, the overview, and links to what is shown."""

from __future__ import annotations

import numpy as np
import pytest

from support.browsing import agree, choose, chosen, drawn, expected, shown, state
from support.chromium import until


def touches(page, *steps: list[tuple[float, float]]) -> None:
    """Fingers on the screen, step by step, and up again."""
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart"] + ["touchMove"] * (len(steps) - 1)
    for kind, points in zip(kinds, steps, strict=True):
        fingers = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
        page.wait_for_timeout(30)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(50)


TOUCH = {"has_touch": True, "viewport": {"width": 390, "height": 844}}


def middle_of(page, selector="#view") -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize("page", [TOUCH], indirect=True)
def test_pinch_zooms_around_the_fingers(page, results):
    choose(page, "max", "max")
    page.evaluate("View.setSplit(0); View.fit()")
    x, y = middle_of(page)
    before = state(page)
    box = page.locator("#view").bounding_box()
    under = ((x - box["x"]) - before["x"]) / before["zoom"]
    touches(page, *[[(x - part, y), (x + part, y)] for part in (30, 40, 60, 75, 90)])
    now = state(page)
    assert now["zoom"] == round(3 * before["zoom"])
    assert ((x - box["x"]) - now["x"]) / now["zoom"] == pytest.approx(under, abs=1)
    assert agree(shown(page), expected(page, results["max"]))
    touches(page, *[[(x - part, y), (x + part, y)] for part in (90, 60, 30)])
    assert state(page)["zoom"] == before["zoom"]


@pytest.mark.parametrize("page", [TOUCH], indirect=True)
def test_two_fingers_move_the_image_and_one_scrolls_the_page(page):
    x, y = middle_of(page)
    before = state(page)
    divider = middle_of(page, "#divider")[0]  # under one of the fingers
    touches(page, *[[(divider, y + by), (divider + 80, y + by)] for by in (0, 10, 20, 40)])
    now = state(page)
    assert now["split"] == before["split"]
    assert (now["x"] - before["x"], now["y"] - before["y"], now["zoom"]) == (0, 40, before["zoom"])
    assert page.evaluate("scrollY") == 0
    touches(page, *[[(x - 60, y - by)] for by in range(0, 240, 12)])
    until(page, "scrollY > 100")
    assert (state(page)["x"], state(page)["y"]) == (now["x"], now["y"])
    page.evaluate("scrollTo(0, 0)")
    touches(page, *[[(x - 150 + by, y)] for by in range(0, 120, 12)])
    assert state(page)["x"] == now["x"] + 108 and page.evaluate("scrollY") == 0


@pytest.mark.parametrize("page", [TOUCH], indirect=True)
def test_a_finger_drags_the_divider(page):
    x, y = middle_of(page, "#divider span")
    touches(page, *[[(x - by, y + by)] for by in (0, 20, 50, 90)])
    box = page.locator("#view").bounding_box()
    assert state(page)["split"] == pytest.approx((x - 90 - box["x"]) / box["width"], abs=0.01)


def test_the_wheel_zooms_in_proportion(page, results):
    choose(page, "max", "max")
    page.evaluate("View.setSplit(0); View.fit(); View.zoomTo(4)")
    x, y = middle_of(page)
    page.mouse.move(x - 100, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)  # doubles
    until(page, "View.state.zoom === 8")
    page.wait_for_timeout(500)
    for _ in range(24):
        page.mouse.wheel(0, 10)  # as from a touch pad, in all as far back
    until(page, "View.state.zoom === 4")
    page.keyboard.up("Control")
    assert agree(shown(page), expected(page, results["max"]))
    zoom = state(page)["zoom"]
    page.mouse.wheel(0, 200)  # the page scrolls
    until(page, "scrollY > 0")
    assert state(page)["zoom"] == zoom


def test_dragging_moves_the_image(page):
    page.check("input[value=beside]")
    x, y = middle_of(page)
    before = state(page)
    page.mouse.move(x - 100, y)
    page.mouse.down()
    page.mouse.move(x - 67, y + 21)
    page.mouse.up()
    now = state(page)
    assert (now["x"] - before["x"], now["y"] - before["y"]) == (33, 21)


def test_the_strip_pins_left_and_right(page, results):
    items = page.locator("#strip .item")
    names = [name.split() for name in items.locator(".caption:visible").all_inner_texts()]
    lambdas = [[digit, "dpid", "λ", "=", value] for digit, value in (("2", "0"), ("3", "0.5"), ("4", "1"))]
    assert names == [["I", "input"], ["1", "box"], *lambdas, ["5", "max"]]
    box = items.nth(5).bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + box["height"] / 2)
    assert chosen(page)[0] == "max"
    box = items.nth(3).bounding_box()
    page.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2)
    assert chosen(page) == ("max", "dpid, λ = 0.5")
    assert "is-left" in items.nth(5).get_attribute("class") and "is-right" in items.nth(3).get_attribute(
        "class"
    )
    items.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert chosen(page) == ("max", "box")
    page.keyboard.press("End")
    page.keyboard.press("Shift+Enter")
    assert chosen(page)[0] == "max" and items.nth(5).get_attribute("tabindex") == "0"


def test_the_strip_shows_the_place_pixel_for_pixel(page, results):
    zoom = 96 // 20
    for item, name in enumerate(["box", "dpid, λ = 0", "dpid, λ = 0.5", "dpid, λ = 1", "max"], 1):
        seen = drawn(page, f"document.querySelectorAll('#strip canvas')[{item}]")
        place = results[name][10:30, 10:30]
        np.testing.assert_array_equal(seen, np.kron(place, np.ones((zoom, zoom, 1), np.uint8)))


def is_visible(page, region) -> bool:
    left, top, right, bottom = page.evaluate("View.visible()")
    return left <= region[0] and top <= region[1] and right >= region[2] and bottom >= region[3]


def test_places_can_be_added_and_visited(page):
    assert page.get_attribute("#regions button[data-place]", "aria-pressed") == "true"
    page.evaluate("View.centre(50, 30, 40)")
    page.click("#add-place")
    assert page.locator("#regions button[data-place]").all_inner_texts() == ["A", "B"]
    page.focus("#view")
    page.keyboard.press("a")
    assert is_visible(page, (10, 10, 30, 30))
    page.evaluate("View.centre(0, 0, 40)")
    page.keyboard.press("Shift+A")
    assert is_visible(page, page.evaluate("Strip.places[1]"))


def test_the_overview_leads_to_where_it_is_clicked(page):
    box = page.locator("#overview").bounding_box()
    margin = 6
    zoom = page.evaluate("(document.getElementById('overview').width - 12) / 60")
    page.mouse.click(box["x"] + margin + 50.5 * zoom, box["y"] + margin + 35.5 * zoom)
    middle = page.evaluate("View.middle()")
    assert abs(middle[0] - 50.5) < 1 and abs(middle[1] - 35.5) < 1
    page.mouse.click(box["x"] + margin + 20 * zoom, box["y"] + margin + 20 * zoom)  # the place A
    assert is_visible(page, (10, 10, 30, 30))


def test_a_link_leads_to_what_is_shown(page, opened, written):
    choose(page, "max", "dpid, λ = 0.5")
    page.check("input[value=difference]")
    page.select_option("#gain", "8")
    page.select_option("#ground", "white")
    page.evaluate("View.setSplit(0.25); View.centre(31.5, 17, 13)")
    until(page, "location.hash.includes('zoom=13')")
    link = page.evaluate("location.hash")
    other = opened(written, link)
    assert chosen(other) == ("max", "dpid, λ = 0.5")
    assert other.is_checked("input[value=difference]")
    assert (other.input_value("#gain"), other.input_value("#ground")) == ("8", "white")
    for name in ("x", "y", "zoom", "split", "mode"):
        assert state(other)[name] == state(page)[name]
    np.testing.assert_array_equal(shown(other), shown(page))


@pytest.mark.parametrize(
    "link",
    ["#left=none&zoom=-1&at=NaN,1", "#mode=%00&split=7", "#<script>", "#zoom=1e999&at=1e999,0", "#place=Z"],
)
def test_links_that_fit_nothing_change_nothing(opened, written, link):
    page, plain = opened(written, link), opened(written)
    assert chosen(page) == ("box", "dpid, λ = 1") and state(page) == state(plain)


def test_copy_link_copies_the_link(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("View.zoomTo(21)")
    page.click("#copy-link")
    until(page, "document.getElementById('copy-link').textContent === 'Copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("file:") and "zoom=21" in copied and "left=box" in copied


def test_where_nothing_can_be_copied_the_text_is_shown(page):
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.click("#copy-link")
    until(page, "document.getElementById('copy-dialog').open")
    assert "left=box" in page.input_value("#copy-text")
