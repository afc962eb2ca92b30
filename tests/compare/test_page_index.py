"""The index of several pages: a contact sheet that can be sorted, and links from page to page."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support import chromium
from support.browsing import chosen, state
from support.chromium import until
from support.command import invoke
from support.embedded import data_of

NAMES = ["a.png", "b2.png", "b10.png"]
HOSTILE = "<b>&\"'$title<script>alert(1)<!--.png"


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    """Noise that differs in strength; the second image is larger."""
    rng = np.random.default_rng(3)
    sizes = {"a.png": (120, 160), "b2.png": (200, 240), "b10.png": (120, 160)}
    return {
        name: rng.integers(0, 80 * (i + 1), (*size, 3), np.uint8)
        for i, (name, size) in enumerate(sizes.items())
    }


@pytest.fixture(scope="module")
def report(images, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    for name, pixels in images.items():
        Image.fromarray(pixels).save(folder / name)
    paths = [str(folder / name) for name in NAMES]
    words = ("-s", "4", "-m", "dpid", "-m", "max", "--no-timing", "--closeup", "40,40,96,64")
    done = invoke("compare", *paths, *words, "-o", str(folder / "report.html"))
    assert done.exit_code == 0, done.stderr
    return folder / "report.html"


@pytest.fixture
def sheet(browser, report):
    with chromium.opened(browser, report.as_uri()) as page:
        yield page


def order(page) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('#sheet > li:not([hidden]) h3 a')].map((a) => a.textContent)"
    )


def numbers_of(report: Path, field: str, variant: str) -> dict[str, float]:
    """Numbers that the command prints as JSON."""
    found = {}
    for name in NAMES:
        words = ["compare", str(report.with_name(name)), "-s", "4", "-m", "dpid", "-m", "max", "--json"]
        results = json.loads(invoke(*words).stdout)["results"]
        found[name] = next(one["numbers"][field] for one in results if one["variant"] == variant)
    return found


def test_crops_are_pixels_of_the_outputs(report, images):
    """At the place, for every variant, box included, in the order of the inputs."""
    index = report.read_text()
    items = re.findall(r'<li id="image-\d+">(.*?)</figure>\n</div></li>', index, re.S)
    assert len(items) == 3
    for name, item in zip(NAMES, items, strict=True):
        crops = re.findall(r'<a href="([^"]*)"><img src="data:image/webp;base64,([^"]*)"', item)
        outputs = [
            dpid_cli.downscale(images[name], scale=4, method=method) for method in ("box", "dpid", "max")
        ]
        for (address, data), output, word in zip(crops, outputs, ("box", "dpid", "max"), strict=True):
            with Image.open(io.BytesIO(base64.b64decode(data))) as image:
                np.testing.assert_array_equal(np.array(image), output[10:26, 10:34])
            assert unescape(address) == f"report/{Path(name).stem}.html#right={word}&place=A"


def test_sorting_by_any_number(sheet, report):
    assert order(sheet) == NAMES
    assert not sheet.is_visible("#direction")
    for field, heading in (("detail_kept", "detail kept %"), ("psnr", "PSNR dB")):
        for variant, label in (("max", "max"), ("dpid", "dpid, λ = 1")):
            values = numbers_of(report, field, variant)
            sheet.select_option("#by", heading)
            sheet.select_option("#of", label=label)
            assert order(sheet) == sorted(NAMES, key=values.get, reverse=True)
            sheet.click("#direction")
            assert order(sheet) == sorted(NAMES, key=values.get)
            sheet.click("#direction")
    assert sheet.locator("#sheet .extra").count() == 6 and "PSNR" in sheet.inner_text("#image-1")
    sheet.select_option("#by", "name")
    assert order(sheet) == ["a.png", "b2.png", "b10.png"]
    sheet.click("#direction")
    assert order(sheet) == ["b10.png", "b2.png", "a.png"]
    again = sheet.evaluate("location.hash")
    sheet.goto(report.as_uri() + "#image-2")
    sheet.goto("about:blank")
    sheet.goto(report.as_uri() + again)
    assert order(sheet) == ["b10.png", "b2.png", "a.png"]


def test_many_images_can_be_found_by_name(browser, dpid, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(np.full((16, 16), 20 * i, np.uint8)).save(folder / f"image-{i}.png")
    target = tmp_path / "index.html"
    words = ("-s", "4", "-m", "max", "--no-metrics", "-o", str(target))
    assert dpid("compare", str(folder), *words).exit_code == 0
    with chromium.opened(browser, target.as_uri()) as page:
        page.fill("#filter", "E-1")
        assert sorted(order(page)) == ["image-1.png", "image-10.png", "image-11.png"]
        assert page.inner_text("#count") == "3 of 12 images"
        page.fill("#filter", "")
        assert len(order(page)) == 12 and not page.is_visible("#of-what")


def test_a_crop_leads_to_its_variant_and_back(sheet):
    sheet.click("#image-2 a[href*='right=max']")
    until(sheet, "'ready' in document.documentElement.dataset")
    assert chosen(sheet) == ("box", "max") and sheet.inner_text("#images span") == "2 of 3"
    sheet.click("text=All images")
    assert sheet.evaluate("location.hash") == "#image-2"


def test_keys_and_buttons_keep_pair_zoom_place_and_mode(sheet):
    sheet.click("#image-1 h3 a")
    until(sheet, "'ready' in document.documentElement.dataset")
    assert sheet.locator("#previous").count() == 0
    sheet.select_option("#left", label="max")
    sheet.evaluate("View.zoomTo(5); View.centre(Layers.width * 0.25, Layers.height * 0.75)")
    sheet.check("input[value=beside]")
    sheet.keyboard.press("n")
    sheet.wait_for_url("**/b2.html*")
    until(sheet, "'ready' in document.documentElement.dataset")
    assert chosen(sheet) == ("max", "dpid, λ = 1") and sheet.is_checked("input[value=beside]")
    assert state(sheet)["zoom"] == 5
    assert sheet.evaluate("View.middle()") == pytest.approx([60 * 0.25, 50 * 0.75], abs=0.2)
    sheet.evaluate("Choices.setMode('swipe'); Strip.goTo(0); View.setSplit(0.4)")
    zoom = state(sheet)["zoom"]
    sheet.click("#next")
    sheet.wait_for_url("**/b10.html*")
    until(sheet, "'ready' in document.documentElement.dataset")
    now = state(sheet)
    assert (now["zoom"], now["split"]) == (zoom, 0.4)
    place = sheet.evaluate("Strip.place()")
    left, top, right, bottom = sheet.evaluate("View.visible()")
    assert left <= place[0] and top <= place[1] and right >= place[2] and bottom >= place[3]
    assert sheet.locator("#next").count() == 0
    sheet.keyboard.press("p")
    sheet.wait_for_url("**/b2.html*")


def test_links_lead_past_images_that_failed(dpid, tmp_path):
    for name in ("a", "c"):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    paths = [str(tmp_path / f"{name}.png") for name in "abc"]
    target = tmp_path / "report.html"
    assert dpid("compare", *paths, "-s", "4", "-m", "box", "-o", str(target)).exit_code == 1
    links = {
        name: re.findall(r'rel="(\w+)" href="([^"]*)"', (tmp_path / "report" / f"{name}.html").read_text())
        for name in "ac"
    }
    assert links == {"a": [("next", "c.html")], "c": [("prev", "a.html")]}


def test_hostile_names_stay_text(browser, dpid, tmp_path):
    for name in (HOSTILE, "b.png"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    target = tmp_path / "report.html"
    words = ("-s", "4", "-m", "box", "--title", HOSTILE, "-o", str(target))
    assert dpid("compare", str(tmp_path / HOSTILE), str(tmp_path / "b.png"), *words).exit_code == 0
    index = target.read_text()
    assert len(re.findall("<script", index)) == 2 and "<b>&" not in index and "<!--" not in index
    with chromium.opened(browser, target.as_uri()) as page:  # nothing is printed or loaded
        assert order(page) == [HOSTILE, "b.png"] and page.inner_text("h1") == HOSTILE
        page.select_option("#by", "name")
        page.click("#image-1 h3 a")
        until(page, "'ready' in document.documentElement.dataset")
        assert page.inner_text("h1") == HOSTILE
        page.keyboard.press("n")
        page.wait_for_url("**/b.html*")
    assert data_of((tmp_path / "report" / "b.html").read_text())["name"] == "b.png"
