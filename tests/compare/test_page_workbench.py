"""The page of one's own image in Chromium: what it shows, saves and copies, against the command."""

from __future__ import annotations

import base64
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli.compare.workbench import page as workbench_page
from support.chromium import asked, open_image, opened, until
from support.command import pixels
from support.engine import random_image

HOSTILE = 'it\'s "<img src=x onerror=alert(1)>" & $HOME `id`.png'


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "dpid.html"
    path.write_text(workbench_page(), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, written, request):
    with opened(browser, written.as_uri(), **getattr(request, "param", {})) as shown:
        yield shown


@pytest.fixture
def source() -> np.ndarray:
    return random_image(np.random.default_rng(12), 160, 240, 3)


def seen(page) -> np.ndarray:
    """The pixels of the view."""
    data = page.evaluate("view.toDataURL()").split(",")[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.array(image.convert("RGB"))


def assert_shows(page, left: np.ndarray, right: np.ndarray) -> None:
    """The view shows one output on the left of the line and the other on the right, in whole pixels."""
    until(page, "state.ready")
    view, now = seen(page), page.evaluate("({...state})")
    y, x = np.mgrid[0 : view.shape[0], 0 : view.shape[1]]
    row, column = (y - now["y"]) // now["zoom"], (x - now["x"]) // now["zoom"]
    inside = (row >= 0) & (row < left.shape[0]) & (column >= 0) & (column < left.shape[1])
    at = round(now["split"] * view.shape[1])
    for result, part in ((left, inside & (x < at)), (right, inside & (x >= at))):
        assert part.any()
        assert np.array_equal(view[part], result[row[part], column[part]])


def slide(page, value: float) -> None:
    page.evaluate(f"$('lambda').value = {value}; $('lambda').dispatchEvent(new Event('input'))")


def copied(page) -> list[str]:
    """The arguments of the command on the page."""
    words = shlex.split(page.inner_text("#command"))
    assert words[:2] == ["dpid", "downscale"]
    return words[1:]


def saved(page) -> tuple[str, np.ndarray]:
    with page.expect_download() as download:
        page.click("#save")
    return download.value.suggested_filename, pixels(download.value.path())


def test_an_image_is_shown_by_box_and_dpid(page, folder, source):
    Image.fromarray(source).save("photo.png")
    open_image(page, folder / "photo.png")
    box, dpid = (dpid_cli.downscale(source, scale=4, method=method) for method in ("box", "dpid"))
    assert_shows(page, box, dpid)
    assert page.inner_text("#name") == "photo.png" and "240×160 → 60×40" in page.inner_text("#facts")


def test_the_slider_changes_lambda(page, folder, source):
    Image.fromarray(source).save("photo.png")
    open_image(page, folder / "photo.png")
    box = dpid_cli.downscale(source, scale=4, method="box")
    for lambda_ in (0.37, 2, 0):
        slide(page, lambda_)
        assert_shows(page, box, dpid_cli.downscale(source, scale=4, lambda_=lambda_))
        assert f"λ = {lambda_}" in page.inner_text("#of-method")


def test_images_can_be_dropped(page, folder, source):
    Image.fromarray(source).save("photo.png")
    content = base64.b64encode((folder / "photo.png").read_bytes()).decode()
    dropped = page.evaluate_handle(
        """(content) => {
          const data = new DataTransfer();
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
          return data;
        }""",
        content,
    )
    page.dispatch_event("#bench", "dragover", {"dataTransfer": dropped})
    page.dispatch_event("#bench", "drop", {"dataTransfer": dropped})
    until(page, "state.image !== null && state.ready")
    assert page.inner_text("#name") == "dropped.png"
    box, dpid = (dpid_cli.downscale(source, scale=4, method=method) for method in ("box", "dpid"))
    assert_shows(page, box, dpid)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("dpid", {"lambda-number": 0.7, "scale": 3.3}),
        ("dpid", {"variant": "asym", "guidance": "box", "noise": 0.02, "width": 50}),
        ("dpp", {"lambda-number": 1.3, "alpha": 0.1, "epsilon": 0.05}),
        ("extremum", {"scale": 5}),
    ],
)
def test_what_is_saved_is_what_the_copied_command_writes(page, dpid, folder, method, settings, channels):
    Image.fromarray(random_image(np.random.default_rng(channels), 90, 131, channels)).save("photo.png")
    open_image(page, folder / "photo.png")
    page.select_option("#method", method)
    page.evaluate("$('more').open = true")
    for name, value in settings.items():
        if name in ("variant", "guidance"):
            page.select_option(f"#{name}", value)
        else:
            page.fill(f"#{name}", str(value))
    until(page, "state.ready")
    words = copied(page)
    name, result = saved(page)
    assert words[-1] == name and name.startswith(f"photo_{method}_")
    done = dpid(*words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert np.array_equal(pixels(folder / name), result)


def test_large_images_are_shared_among_workers(page, folder):
    source = random_image(np.random.default_rng(4), 1500, 1700, 3)
    Image.fromarray(source).save("large.png")
    open_image(page, folder / "large.png")
    page.fill("#scale", "2.7")
    for lambda_ in (0.4, 1.2):
        slide(page, lambda_)
        until(page, "state.ready")
        _, result = saved(page)
        assert np.array_equal(result, dpid_cli.downscale(source, scale=2.7, lambda_=lambda_))


def test_older_requests_are_dropped(page, folder):
    source = random_image(np.random.default_rng(5), 1400, 1400, 3)
    Image.fromarray(source).save("large.png")
    facts = asked(page, {}, folder / "large.png")
    request = {"image": facts["image"], "size": [700, 700], "method": "dpid"}
    answers = page.evaluate(
        """async (requests) => {
          const answers = await Promise.all(requests.map(ask));
          return answers.map(({ dropped, pixels }) => (dropped ? null : Array.from(pixels)));
        }""",
        [
            request | {"lambda": 0.9, "lane": "other"},
            request | {"lambda": 0.8, "region": [0, 0, 9, 9]},
            request | {"lambda": 0.7, "region": [5, 7, 50, 40]},
        ],
    )
    wanted = dpid_cli.downscale(source, size=(700, 700), lambda_=0.7)[7:40, 5:50]
    assert answers[1] is None and np.array_equal(answers[2], wanted.ravel())


def test_the_automatic_lambda_is_that_of_the_library(page, folder, source):
    Image.fromarray(source).save("photo.png")
    open_image(page, folder / "photo.png")
    page.click("#auto")
    wanted = dpid_cli.automatic(source, scale=4, lambda_="auto")["lambda_"]
    until(page, f"Number($('lambda-number').value) === {wanted}")


@pytest.mark.parametrize("name", [HOSTILE, "-n.png", "plain.png", "Ünïcode \u202e.png"])
def test_names_stay_inert(page, folder, source, name):
    Image.fromarray(source).save(folder / name)
    open_image(page, folder / name)
    assert page.inner_text("#name") == name
    words = copied(page)
    assert words[1] in (name, f"./{name}") and not words[1].startswith("-")
    assert page.evaluate("document.scripts.length") == 2


def test_errors_are_shown_and_the_image_stays(page, folder, source):
    Image.fromarray(source).save("photo.png")
    (folder / "notes.png").write_text("no image")
    open_image(page, folder / "photo.png")
    page.set_input_files("#file", folder / "notes.png")
    until(page, "$('error').textContent !== ''")
    assert page.inner_text("#error").startswith("notes.png: this browser cannot read it as an image")
    assert page.inner_text("#name") == "photo.png"


def test_keys_move_zoom_and_divide(page, folder):
    Image.fromarray(random_image(np.random.default_rng(2), 900, 1200, 3)).save("large.png")
    open_image(page, folder / "large.png")
    page.fill("#scale", "1")
    until(page, "state.ready")
    page.focus("#picture")
    before = page.evaluate("({...state})")
    for key in ("+", "ArrowRight", "ArrowDown", "]"):
        page.keyboard.press(key)
    after = page.evaluate("({...state})")
    assert after["zoom"] > before["zoom"] and after["split"] > before["split"]
    assert (after["x"], after["y"]) != (before["x"], before["y"])
    page.keyboard.press("0")
    assert page.evaluate("state.zoom") == before["zoom"]


def test_the_line_can_be_dragged(page, folder, source):
    Image.fromarray(source).save("photo.png")
    open_image(page, folder / "photo.png")
    box = page.locator("#picture").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, y, steps=4)
    page.mouse.up()
    assert abs(page.evaluate("state.split") - 0.25) < 0.02
    outputs = (dpid_cli.downscale(source, scale=4, method=method) for method in ("box", "dpid"))
    assert_shows(page, *outputs)


@pytest.mark.parametrize("page", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_nothing_is_cut_off_on_a_phone(page, folder, source):
    Image.fromarray(source).save("a-photograph-with-quite-a-long-name-from-a-camera.png")
    open_image(page, folder / "a-photograph-with-quite-a-long-name-from-a-camera.png")
    page.evaluate("$('more').open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_policy_allows_the_scripts_of_the_page_alone(written):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', written.read_text(encoding="utf-8"))[1]
    assert "unsafe" not in policy and "worker-src blob:" in policy and policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_the_command_writes_the_page(dpid, folder, written):
    done = dpid("compare", "--page", "dpid.html")
    assert (done.exit_code, done.stdout.strip()) == (0, "dpid.html")
    assert (folder / "dpid.html").read_text(encoding="utf-8") == written.read_text(encoding="utf-8")
    assert dpid("compare", "--page", "dpid.html").exit_code == 1
    assert dpid("compare", "--page", "dpid.html", "--overwrite", "--theme", "dark").exit_code == 0
    assert 'data-theme="dark"' in (folder / "dpid.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--page", "page.html", "photo.png"], "INPUT does nothing with --page"),
        (["--page", "page.html", "-s", "4"], "--scale does nothing with --page"),
        (["--page", "page.txt"], "page.txt has no suffix of a page"),
        (["-s", "4"], "missing argument 'INPUT...'"),
    ],
)
def test_what_the_page_does_not_use_is_refused(dpid, folder, words, message):
    done = dpid("compare", *words)
    assert done.exit_code == 2 and message in done.stderr
    assert list(folder.iterdir()) == []


def test_the_page_of_the_documentation_is_up_to_date():
    path = Path(__file__).parents[2] / "docs" / "live.html"
    assert path.read_text(encoding="utf-8") == workbench_page(), "run: python docs/make_live.py"
