"""The page in Chromium: themes, narrow screens, forced colours, paper, names of everything, and an index."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from PIL import Image

from support.browsing import choose, screenshot, state

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_everything_can_be_reached_by_tab_and_has_a_name(page):
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    names = (
        "theme help-button copy-link left swap right view divider slider-lambda in out fit ground add-place"
    )
    for name in (*names.split(), "item"):
        assert any(name in one for one in reached), name
    assert reached.count("item") + reached.count("item is-left") <= 2  # one stop for the whole strip
    snapshot = page.locator("body").aria_snapshot()
    for told in (
        'combobox "1 Left"',
        'combobox "2 Right"',
        'radio "Swipe"',
        'slider "Divider"',
        'slider "detail λ"',
        'button "Zoom in"',
        'button "Go to place A"',
        'table "Numbers everywhere"',
        'rowheader "dpid, λ = 0.5"',
        'columnheader "likeness to input"',
        'button "Swap left and right"',
        'application "box and dpid, λ = 1, with a divider, enlarged ',
        'toolbar "All variants at place A"',
    ):
        assert told in snapshot, told
    assert not re.search(r"- (button|slider|combobox|application|img|radio)( \[[^\]]*\])*:?$", snapshot, re.M)
    page.select_option("#right", label="max")
    assert "max" in page.inner_text("[role=status]") and "max" in page.get_attribute("#view", "aria-label")


def violations(page) -> list[str]:
    """What axe-core finds."""
    axe = pytest.importorskip(
        "axe_core_python", reason="axe is not installed: pip install 'dpid-cli[browser]'"
    )
    page.evaluate((files(axe) / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((done) => done.violations)")
    return [f"{one['id']}: {node['html'][:100]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(
    "page", [{}, {"color_scheme": "dark"}, PHONE, {"forced_colors": "active"}], indirect=True, ids=str
)
def test_axe_finds_nothing(page):
    assert violations(page) == []
    page.check("input[value=difference]")
    page.click("#help-button")
    assert violations(page) == []


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
    def style(part: str, name: str) -> str:
        return page.evaluate(f"getComputedStyle(document.querySelector('{part}')).{name}")

    system = style("body", "backgroundColor")
    seen = []
    for name in ("light", "dark", "system"):
        page.click("#theme")
        assert page.inner_text("#theme-name") == name
        seen.append(style("body", "backgroundColor"))
        for part in ("body", "#readout", "footer p", "label", "thead th", ".slider label", "#at .of-left"):
            assert contrast(style(part, "color"), seen[-1]) >= 4.5, part
        for part in ("#left-tag", "#right-tag", ".badge"):
            assert contrast(style(part, "color"), style(part, "backgroundColor")) >= 4.5, part
    assert seen[0] == "rgb(255, 255, 255)" and seen[1] != seen[0] and seen[2] == system


def test_left_and_right_have_one_colour_each(page):
    def colour(part: str, name: str) -> str:
        return page.evaluate(f"getComputedStyle(document.querySelector('{part}')).{name}")

    left, right = colour("#left-tag", "backgroundColor"), colour("#right-tag", "backgroundColor")
    assert left != right
    for side, own in (("left", left), ("right", right)):
        assert colour(f"#{side}", "borderTopColor") == own
        assert colour(f".item.is-{side}", "borderTopColor") == own
        assert own.removeprefix("rgb") in colour(f"tr.is-{side} th", "boxShadow")
        assert colour(f"#at .of-{side}", "color") == own
    assert colour(".slider label", "color") == right
    choose(page, "dpid, λ = 0.5", "max")
    assert colour(".slider label", "color") == left


@pytest.mark.parametrize(
    "page",
    [{"viewport": {"width": width, "height": 800}} for width in (320, 390, 800, 1280, 1440)],
    indirect=True,
    ids=str,
)
def test_no_screen_needs_scrolling_sideways(page):
    width = page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("left", "right", "in", "fit", "slider-lambda", "view", "copy-link", "help-button"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, name


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_the_image_is_in_the_first_half_of_the_screen(page):
    box = page.locator("#stage").bounding_box()
    assert box["y"] < 844 / 4
    assert min(box["y"] + box["height"], 422) - box["y"] >= 200
    assert page.locator("#slider-lambda").bounding_box()["y"] < 844


@pytest.mark.parametrize(
    "page",
    [{"viewport": {"width": 1440, "height": 900}}, {"viewport": {"width": 1280, "height": 720}}],
    indirect=True,
    ids=str,
)
def test_the_first_screen_has_image_slider_and_strip(page):
    height = page.evaluate("innerHeight")
    for name in ("lead", "stage", "controls", "strip", "overview"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["y"] + box["height"] <= height, name


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], indirect=True)
def test_forced_colours_keep_the_image_and_the_divider(page):
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    box = page.locator("#divider").bounding_box()
    seen = screenshot(page)
    line = seen[round(box["y"]) + 20, round(box["x"]) : round(box["x"] + box["width"])]
    assert ((line == 255).all(axis=1)).any() and ((line == 0).all(axis=1)).any()
    assert page.evaluate("getComputedStyle(document.querySelector('.badge')).borderTopWidth") == "1px"


def test_paper_shows_the_pair_the_strip_and_the_numbers(page):
    before, middle = state(page), page.evaluate("View.middle()")
    page.emulate_media(media="print")
    for name in ("controls", "actions", "readout", "swap"):
        assert not page.is_visible(f"#{name}"), name
    for name in ("view", "strip", "overview", "numbers"):
        assert page.is_visible(f"#{name}"), name
    page.emulate_media(media="screen")
    page.wait_for_timeout(100)
    assert state(page)["zoom"] == before["zoom"]
    assert page.evaluate("View.middle()") == pytest.approx(middle, abs=0.5)
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000


def test_the_heading_of_an_index_fits_narrow_screens(browser, tmp_path, dpid):
    images, index = tmp_path / "images", tmp_path / "index.html"
    images.mkdir()
    for name in "a.png", "b.png":
        Image.new("RGB", (32, 32)).save(images / name)
    assert dpid("compare", str(images), "-s", "4", "-m", "box", "-o", str(index)).exit_code == 0
    page = browser.new_page(viewport={"width": 420, "height": 700})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(index.as_uri())
    name = "Means and standard deviations over the images"
    box = page.get_by_role("heading", name=name, exact=True).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 420
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    for role in "region", "table":
        assert page.get_by_role(role, name=name, exact=True).count() == 1
    assert violations(page) == [] and said == []
    for key in ("Tab",) * 30:
        page.keyboard.press(key)
        if page.evaluate("document.activeElement.id") == "by":
            break
    page.keyboard.press("ArrowDown")  # by keyboard alone
    assert page.input_value("#by") == "name"
    page.set_viewport_size({"width": 390, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
