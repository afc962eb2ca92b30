"""What pages open, save and copy in Firefox, also where it protects against fingerprinting."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli.compare.workbench import page as workbench_page
from support.command import pixels, places
from support.engine import random_image
from support.firefox import FIREFOX, Firefox

pytestmark = pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed")

PROTECTED = "privacy.resistFingerprinting"


class Downloads:
    """The folder into which a browser saves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def next(self, act) -> Path:
        """The file that an action saves."""
        before = set(self.folder.iterdir())
        act()
        deadline = time.monotonic() + 30
        while True:
            new = set(self.folder.iterdir()) - before
            if new and all(path.suffix != ".part" and path.stat().st_size for path in new):
                (path,) = new
                return path
            assert time.monotonic() < deadline, "nothing was saved"
            time.sleep(0.05)


@pytest.fixture(scope="module", params=[{}, {PROTECTED: True}], ids=["plain", "protected"])
def browsing(request, tmp_path_factory):
    """Firefox, what it saves, and whether it is protected."""
    home = tmp_path_factory.mktemp("firefox")
    downloads = Downloads(home / "downloads")
    preferences = {
        "browser.download.folderList": 2,
        "browser.download.dir": str(downloads.folder),
        "browser.download.useDownloadDir": True,
        "browser.download.alwaysOpenPanel": False,
        **request.param,
    }
    running = Firefox(home / "profile", (1000, 900), preferences)
    yield running, downloads, bool(request.param)
    running.close()


@pytest.fixture
def bench(browsing, tmp_path):
    """The page of one's own image, open; it must not complain or load anything."""
    running = browsing[0]
    path = tmp_path / "dpid.html"
    path.write_text(workbench_page(), encoding="utf-8")
    running.call("WebDriver:Navigate", url=path.as_uri())
    yield running
    assert running.complaints(path.as_uri()) == []
    assert running.run("return performance.getEntriesByType('resource').map((one) => one.name)") == []


@pytest.fixture
def photo() -> np.ndarray:
    return random_image(np.random.default_rng(3), 120, 180, 3)


def open_image(page, path: Path) -> None:
    page.run("document.getElementById('file').hidden = false")
    page.type("#file", str(path))
    computed(page, "#error")


def computed(page, other: str = "#none") -> None:
    """Wait until the page has computed its outputs, or another element says something."""
    page.until(
        "return document.getElementById('status').textContent.startsWith('Computed in ')"
        f" || Boolean(document.querySelector('{other}')?.textContent)"
    )


def text(page, selector: str) -> str:
    return page.run("return document.querySelector(arguments[0]).innerText", selector)


def zoom_of(page) -> int:
    return int(text(page, "#zoom").removeprefix("×"))


def fill(page, field: str, value: object) -> None:
    page.run(
        "document.getElementById('status').textContent = '';"
        "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input'))",
        field,
        str(value),
    )


def test_an_image_is_opened_shown_and_saved(bench, browsing, tmp_path, photo, dpid, folder):
    Image.fromarray(photo).save(folder / "photo.png")
    open_image(bench, folder / "photo.png")
    assert text(bench, "#name") == "photo.png" and "180×120 → 45×30" in text(bench, "#facts")
    fill(bench, "lambda", 0.6)
    computed(bench)
    bench.run("document.getElementById('picture').focus()")
    for _ in range(10):
        bench.press("[")  # the line goes to the left end
    bench.run("for (const part of document.querySelectorAll('#line, .caption')) part.hidden = true")
    wanted = dpid_cli.downscale(photo, scale=4, lambda_=0.6)
    zoom = zoom_of(bench)
    assert len(places(bench.screenshot(), np.kron(wanted, np.ones((zoom, zoom, 1), np.uint8)))) == 1
    words = shlex.split(text(bench, "#command"))
    saved = browsing[1].next(lambda: bench.click("#save"))
    assert saved.name == words[-1]
    np.testing.assert_array_equal(pixels(saved), wanted)
    assert dpid(*words[1:]).exit_code == 0
    np.testing.assert_array_equal(pixels(folder / words[-1]), wanted)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_all_kinds_of_pngs_are_exact(bench, browsing, folder, channels, dpid):
    image = random_image(np.random.default_rng(channels), 60, 70, channels)
    Image.fromarray(image).save(folder / "photo.png")
    open_image(bench, folder / "photo.png")
    fill(bench, "scale", 3.3)
    computed(bench)
    words = shlex.split(text(bench, "#command"))
    saved = browsing[1].next(lambda: bench.click("#save"))
    assert dpid(*words[1:]).exit_code == 0
    np.testing.assert_array_equal(pixels(saved), pixels(folder / words[-1]))


def test_photographs_are_exact_or_refused(bench, browsing, folder, photo):
    """A JPEG is read by the browser, which tells the truth or is not asked."""
    Image.fromarray(photo).save(folder / "photo.jpg", quality=95, subsampling=0)
    open_image(bench, folder / "photo.jpg")
    error = text(bench, "#error")
    if error:
        assert browsing[2] and error.startswith("photo.jpg: this browser protects against fingerprinting")
        return
    saved = browsing[1].next(lambda: bench.click("#save"))
    wanted = dpid_cli.downscale(pixels(folder / "photo.jpg"), scale=4)
    assert np.abs(pixels(saved).astype(int) - wanted).max() <= 2  # decoders round in their own ways


def test_keys_errors_and_the_automatic_lambda(bench, folder, photo):
    Image.fromarray(photo).save(folder / "photo.png")
    open_image(bench, folder / "photo.png")
    bench.click("#auto")
    wanted = dpid_cli.automatic(photo, scale=4, lambda_="auto")["lambda_"]
    bench.until(f"return Number(document.getElementById('lambda-number').value) === {wanted}")
    bench.run("document.getElementById('picture').focus()")
    before = zoom_of(bench)
    for key in ("]", "-"):
        bench.press(key)
    assert bench.run("return document.getElementById('line').style.left") == "55%"
    assert zoom_of(bench) < before
    command = text(bench, "#command")
    for wrong in ("", "0", "-3", "x"):  # none of them is a scale
        fill(bench, "scale", wrong)
        assert text(bench, "#command") == command
    (folder / "notes.png").write_text("no image")
    bench.type("#file", str(folder / "notes.png"))
    bench.until("return document.getElementById('error').textContent !== ''")
    assert text(bench, "#error").startswith("notes.png: ") and text(bench, "#name") == "photo.png"


@pytest.fixture
def compared(browsing, written):
    """The page of a comparison, open; it must not complain."""
    running = browsing[0]
    running.call("WebDriver:Navigate", url="about:blank")
    running.open(written.as_uri())
    yield running
    # A protected browser says that it changes what is read from a canvas; the page has asked whether it does.
    said = [line for line in running.complaints(written.as_uri()) if "extracting canvas data" not in line]
    assert said == []


def view_saved(page, downloads: Downloads, kind: str) -> Path:
    page.run("document.getElementById('view').focus()")
    page.press("v")
    return downloads.next(lambda: page.click(f"[data-view={kind}]"))


def test_a_view_and_an_output_are_saved(compared, browsing, results):
    _, downloads, protected = browsing
    compared.choose("#left", "max")
    compared.choose("#right", "max")
    saved = pixels(view_saved(compared, downloads, "png"))
    zoom = zoom_of(compared)
    output = np.kron(results["max"], np.ones((zoom, zoom, 1), np.uint8))
    strip = saved.shape[0] - output.shape[0]
    (divider,) = (saved[strip:] != output).any(axis=(0, 2)).nonzero()
    assert (np.diff(divider) == 1).all()
    assert abs(divider.mean() + 0.5 - 20 * zoom) <= 1  # in the middle of the place
    assert saved[strip:, divider].mean(axis=(0, 2)).tolist() == [0, 255, 255, 0]
    said = (
        text(compared, "#notice") if compared.run("return !document.getElementById('notice').hidden") else ""
    )
    if protected:
        assert strip == 0 and "the labels are missing" in said
    else:
        assert strip > 15 and said == ""
    svg = ElementTree.parse(view_saved(compared, downloads, "svg")).getroot()
    assert [one.text for one in svg.iter("{http://www.w3.org/2000/svg}text")] == ["max", "max"]
    compared.press("v")  # the image has the focus again
    output = downloads.next(lambda: compared.click("#save-output"))
    np.testing.assert_array_equal(pixels(output), results["max"])


def test_a_preference_test(compared, browsing, dpid):
    compared.run("document.getElementById('view').focus()")
    compared.press("t")
    compared.choose("#trial-pairs", "all variants with each other (10)")
    compared.click("#trial-start")
    compared.until("return !document.getElementById('trial-pair').hidden")
    for key in "12" * 10:
        compared.press(key)
    saved = [
        browsing[1].next(lambda kind=kind: compared.click(f"[data-votes={kind}]")) for kind in ("csv", "json")
    ]
    done = dpid("compare", "--votes", *map(str, saved), "--json")
    assert json.loads(done.stdout)["votes"] == 20 and "20 votes are in several files" in done.stderr
