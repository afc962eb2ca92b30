"""What a page saves, asks and links to at another scale, and while pixels are not decoded yet."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.browsing import choose, expected, screenshot
from support.chromium import until
from support.command import pixels, places

# All but the first two images wait until they are released.
HELD = (
    "const post = Worker.prototype.postMessage; globalThis.held = [];"
    "Worker.prototype.postMessage = function (message, ...rest) {"
    "  const go = () => post.call(this, message, ...rest);"
    "  if (message.packed && held.count >= 2) held.push(go); else go();"
    "  held.count = (held.count ?? 0) + 1; };"
)
RELEASED = "held.count = -1e9; held.splice(0).forEach((go) => go())"


def scale_to(page, text: str) -> None:
    page.fill("#scale-number", text)
    until(page, "!Scale.isPending()")


def saved(page, button: str, act: str = "0") -> Path:
    """The file that a button of the menu saves, once a script has run."""
    page.focus("#view")
    page.keyboard.press("v")
    with page.expect_download() as download:
        page.click(button)
        page.wait_for_timeout(200)
        page.evaluate(act)
    path = Path(download.value.path()).with_name(download.value.suggested_filename)
    download.value.save_as(path)
    return path


def command_of(page) -> list[str]:
    words = shlex.split(page.inner_text("#command"))
    assert words[:2] == ["dpid", "downscale"]
    return words[1:]


def cut(output: np.ndarray, vote: dict) -> np.ndarray:
    """The part of an output that a vote is about, enlarged as it was shown."""
    left, top = vote["place_x"], vote["place_y"]
    part = output[top : top + vote["place_height"], left : left + vote["place_width"]]
    return np.kron(part, np.ones((vote["zoom"], vote["zoom"], 1), np.uint8))


def votes_of(page) -> dict:
    with page.expect_download() as download:
        page.click("[data-votes=json]")
    return json.loads(Path(download.value.path()).read_text(encoding="utf-8"))


@pytest.fixture
def waiting(browser, written):
    """A page that has decoded only two images."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.add_init_script(HELD)
    page.goto(written.as_uri())
    until(page, "performance.getEntriesByName('pair shown').length === 1")
    yield page
    page.close()


@pytest.mark.parametrize(
    "words",
    ["-s 4 --linear", "-s 4", "--crop 20,10,161,120 -s 4", "--size 30x37 --fit fill --gravity east"],
    ids=["linear", "scale", "crop", "fill"],
)
def test_commands_write_what_the_page_saves(opened, paged, dpid, folder, source, words):
    page = opened(paged(source, f"{words} -m dpid -m max --no-metrics"))
    own = page.evaluate("Layers.width")
    is_live = page.locator("#scale-number").count() == 1
    assert is_live == ("--linear" not in words)
    for scale in (None, "2", "3.7") if is_live else (None,):
        if scale:
            scale_to(page, scale)
        for label in ("dpid, λ = 1", "max", "box"):
            page.select_option("#right", label=label)
            path, command = saved(page, "#save-output"), command_of(page)
            assert command[-1] == path.name and (f"-s {scale}" in " ".join(command) or not scale)
            done = dpid(*command)
            assert (done.exit_code, done.stderr) == (0, "")
            written = pixels(folder / path.name)
            np.testing.assert_array_equal(pixels(path), written)
            assert path.stem.endswith(f"_{written.shape[1]}x{written.shape[0]}")
            assert scale is None or written.shape[1] != own


def test_a_view_is_saved_at_its_scale(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid -m max --no-metrics"))
    scale_to(page, "2")
    choose(page, "max", "max")
    page.evaluate("View.fit(); View.setSplit(1)")
    path = saved(page, "[data-view=png]")
    view = expected(page, dpid_cli.downscale(source, scale=2, method="max"))
    rows, columns = ((view[..., 0] >= 0).any(axis=axis).nonzero()[0] for axis in (1, 0))
    wanted = view[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    seen = pixels(path)[-wanted.shape[0] :, : wanted.shape[1]]
    np.testing.assert_array_equal(seen[:, :-2], wanted[:, :-2])  # before the divider
    with Image.open(path) as image:
        notes = image.info["Description"].splitlines()
    assert notes[0] == "photo.png: max, 2× smaller"
    assert "240×160 pixels, downscaled to 120×80" in notes[1]
    assert notes[2] == "dpid downscale photo.png -s 2 -m max -o photo_max_120x80.png"


def test_a_difference_is_named_by_its_scale(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid -m max --no-metrics"))
    scale_to(page, "2")
    page.select_option("#right", label="max")
    page.check("input[value=difference]")
    page.evaluate("View.fit()")
    svg = ElementTree.parse(saved(page, "[data-view=svg]")).getroot()
    (text,) = svg.iter("{http://www.w3.org/2000/svg}text")
    assert text.text == "max, 2× smaller − box" == page.inner_text("#right-tag")


def test_saving_decodes_what_is_missing(waiting, results):
    choose(waiting, "max", "max")
    assert "(loading)" in waiting.inner_text("#right-tag")
    path = saved(waiting, "#save-output", RELEASED)
    np.testing.assert_array_equal(pixels(path), results["max"])


def test_a_saved_view_waits_for_both_images(waiting, results):
    choose(waiting, "max", "dpid, λ = 0")
    waiting.evaluate("View.setMode('beside'); View.fit()")
    path = saved(waiting, "[data-view=png]", RELEASED)
    seen = pixels(path)
    zoom = waiting.evaluate("View.state.zoom")
    for label in ("max", "dpid, λ = 0"):
        assert len(places(seen, np.kron(results[label], np.ones((zoom, zoom, 1), np.uint8)))) == 1


def test_the_test_waits_until_its_images_are_decoded(waiting, results):
    waiting.focus("#view")
    waiting.keyboard.press("t")
    waiting.select_option("#trial-pairs", "all")
    assert "20 times" in waiting.inner_text("#trial-what")
    waiting.click("#trial-start")
    waiting.wait_for_timeout(200)
    assert waiting.inner_text("#trial-what") == "Preparing the images…"
    assert waiting.is_disabled("#trial-start") and not waiting.is_visible("#trial-pair")
    waiting.evaluate(RELEASED)
    until(waiting, "!$('trial-pair').hidden && $('trial-view').ariaBusy === 'false'")
    screens = []
    for _ in range(20):
        screens.append(screenshot(waiting))
        waiting.keyboard.press("1")
    labels = {"box": "box", "max": "max"} | {f"dpid:lambda={v}": f"dpid, λ = {v}" for v in ("0", "0.5", "1")}
    for vote, screen in zip(votes_of(waiting)["votes"], screens, strict=True):
        for side in ("left", "right"):
            assert places(screen, cut(results[labels[vote[side]]], vote))


def test_a_paused_test_goes_on_at_its_scale(opened, paged, source):
    page = opened(paged(source, "-s 4 -m dpid -m max --no-metrics --closeup 40,40,80,80"))
    scale_to(page, "2")
    page.focus("#view")
    page.keyboard.press("t")
    page.select_option("#trial-pairs", "box")
    page.select_option("#trial-repeats", "1")
    page.click("#trial-start")
    until(page, "!$('trial-pair').hidden && $('trial-view').ariaBusy === 'false'")
    screens = [screenshot(page)]
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    scale_to(page, "4")
    page.click("#trial-open")
    until(page, "$('trial-view').ariaBusy === 'false'")
    assert page.evaluate("Layers.width") == 120
    screens.append(screenshot(page))
    page.keyboard.press("2")
    test = votes_of(page)
    assert (test["output_width"], test["output_height"]) == (120, 80)
    made = {key: dpid_cli.downscale(source, scale=2, method=key) for key in ("box", "dpid", "max")}
    for vote, screen in zip(test["votes"], screens, strict=True):
        for side in ("left", "right"):
            assert len(places(screen, cut(made[vote[side]], vote))) == 1


def test_links_hold_scale_and_test(opened, paged, source):
    path = paged(source, "-s 4 -m dpid -m max -m lanczos --no-metrics")
    page = opened(path)
    scale_to(page, "2")
    page.evaluate("navigator.clipboard.writeText = async (words) => void (window.copied = words)")
    page.click("#copy-link")
    until(page, "window.copied")
    assert parse_qs(page.evaluate("window.copied").partition("#")[2])["scale"] == ["2"]
    page.evaluate("delete window.copied")
    page.click("#trial-open")
    page.select_option("#trial-pairs", "all")
    page.click("#trial-link")
    until(page, "window.copied")
    link = page.evaluate("window.copied").partition("#")[2]
    assert set(parse_qs(link)) == {"test", "question", "repeats", "scale"} and "lanczos" not in link
    other = opened(path, f"#{link}")
    until(other, "Layers.width === 120 && location.hash.includes('left=')")
    values = parse_qs(other.evaluate("location.hash.slice(1)"))
    assert values["scale"] == ["2"] and values["test"] == parse_qs(link)["test"]
    assert other.is_visible("#trial-setup") and " 6 times" in other.inner_text("#trial-what")
    # Pairs that cannot be shown at the scale of a link are left out.
    both = opened(path, "#test=box~lanczos%7Cbox~max&scale=2&repeats=1")
    until(both, "Layers.width === 120")
    assert "side by side, once." in both.inner_text("#trial-what")
    assert " 2 times" in opened(path, "#test=box~lanczos%7Cbox~max&repeats=1").inner_text("#trial-what")


def test_a_test_that_is_cancelled_while_it_waits_does_not_begin(waiting):
    waiting.focus("#view")
    waiting.keyboard.press("t")
    waiting.select_option("#trial-pairs", "all")
    waiting.click("#trial-start")
    waiting.keyboard.press("Escape")
    waiting.evaluate(RELEASED)
    waiting.wait_for_selector("html[data-ready]")
    waiting.click("#trial-open")
    assert waiting.is_visible("#trial-setup") and waiting.is_enabled("#trial-start")
