"""What "auto" stood for: in reports, records and labels, and the same for all frames of an animation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from dpid_cli import automatic, batch, downscale

AUTO = "--lambda", "auto", "--noise", "auto"
SAME = {"lambda_": "auto", "noise": "auto"}


@pytest.fixture
def picture(folder):
    """``photo.png``: smooth colours with noise and bright specks, 96 x 72."""
    random = np.random.default_rng(0)
    values = np.linspace(0.2, 0.6, 96)[None, :, None] + random.normal(0, 0.03, (72, 96, 3))
    values[random.random((72, 96)) < 0.02] = 1
    pixels = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return pixels


def test_reports_and_records(dpid, picture):
    numbers = automatic(picture, scale=4, **SAME)
    done = dpid("downscale", "photo.png", "-s", "4", *AUTO, "--json", "-v")
    found = json.loads(done.stdout)["parameters"]
    assert found["lambda"] == numbers["lambda_"] and found["noise"] == list(numbers["noise"])
    noise = "/".join(map(str, numbers["noise"]))
    assert f"by dpid, lambda {numbers['lambda_']}, noise {noise} in " in done.stderr
    with Image.open("photo_dpid_x4.png") as image:
        assert f"lambda={numbers['lambda_']} " in image.text["Software"]
        assert image.text["Software"].endswith(f"noise={noise}")
        np.testing.assert_array_equal(np.asarray(image), downscale(picture, scale=4, **SAME))


def test_the_reported_numbers_give_the_same_file(dpid, picture):
    assert dpid("downscale", "photo.png", "-s", "3", *AUTO, "-o", "auto.png").exit_code == 0
    numbers = automatic(picture, scale=3, **SAME)
    noise = "/".join(map(str, numbers["noise"]))
    words = "--lambda", str(numbers["lambda_"]), "--noise", noise
    assert dpid("downscale", "photo.png", "-s", "3", *words, "-o", "same.png").exit_code == 0
    assert Path("auto.png").read_bytes() == Path("same.png").read_bytes()


def test_batch_reports_each_image(dpid, picture):
    Image.fromarray(picture[::-1] // 2 + 60).save("other.png")
    (result,) = batch([("other.png", "one.png")], scale=4, workers=1, **SAME)
    done = dpid("batch", ".", "out", "-s", "2", "-s", "4", *AUTO, "--report", "r.jsonl")
    assert done.exit_code == 0, done.stderr
    entries = map(json.loads, Path("r.jsonl").read_text().splitlines())
    found = {Path(one["input"]).name: one for one in entries if "input" in one}
    for name in "photo.png", "other.png":
        parameters = found[name]["parameters"]
        for told, scale in zip(parameters, (2, 4), strict=True):
            numbers = automatic(np.asarray(Image.open(name)), scale=scale, **SAME)
            assert (told["lambda"], told["noise"]) == (numbers["lambda_"], list(numbers["noise"]))
    assert result.parameters == (found["other.png"]["parameters"][1],)


def test_labels_of_compare(dpid, picture):
    lambda_ = automatic(picture, scale=4, lambda_="auto")["lambda_"]
    variants = "-m", "dpid:lambda=auto", "-m", "box"
    done = dpid("compare", "photo.png", "-s", "4", *variants, "--metrics", "-o", "c.png")
    assert f"dpid, λ = {lambda_} (auto)" in done.stderr + done.stdout


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize(
    "words", [(), ("--transparency", "separate"), ("--transparency", "drop"), ("--linear",)]
)
def test_alpha_has_no_noise(dpid, picture, mode, words):
    """Where alpha is opaque, the output is that without alpha."""
    image = Image.fromarray(picture).convert(mode[:-1])
    image.save("opaque.png")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(90, (48, 0, 96, 72))
    image.putalpha(alpha)
    image.save("half.png")
    for name in "opaque", "half":
        output = f"{name}_small.png"
        done = dpid("downscale", f"{name}.png", "-s", "4", *words, "--noise", "0.05", "-o", output)
        assert done.exit_code == 0, done.stderr
    one, other = (
        np.asarray(Image.open(f"{n}_small.png").convert("RGB")).astype(int) for n in ("opaque", "half")
    )
    assert np.abs(one - other)[:, :11].max() <= 1
    assert dpid("downscale", "half.png", "-s", "4", *words, *AUTO, "-o", "auto.png").exit_code == 0


def test_frames_of_an_animation_share_the_numbers(dpid, picture):
    frames = [Image.fromarray(picture), Image.fromarray(picture // 8), Image.fromarray(255 - picture)]
    frames[0].save("many.png", save_all=True, append_images=frames[1:], duration=50)
    assert dpid("downscale", "many.png", "-s", "4", *AUTO, "-o", "small.png").exit_code == 0
    numbers = automatic(picture, scale=4, **SAME)
    with Image.open("small.png") as image:
        for frame, own in zip(ImageSequence.Iterator(image), frames, strict=True):
            expected = downscale(np.asarray(own), scale=4, **numbers)
            np.testing.assert_array_equal(np.asarray(frame.convert("RGB")), expected)


def test_pages_have_their_own_numbers(dpid, picture):
    pages = [Image.fromarray(picture), Image.fromarray(picture // 8)]
    pages[0].save("pages.tif", save_all=True, append_images=pages[1:])
    assert dpid("downscale", "pages.tif", "-s", "4", *AUTO, "-o", "small.tif").exit_code == 0
    with Image.open("small.tif") as image:
        for page, own in zip(ImageSequence.Iterator(image), pages, strict=True):
            expected = downscale(np.asarray(own), scale=4, **SAME)
            np.testing.assert_array_equal(np.asarray(page.convert("RGB")), expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--lambda", "best"), "--lambda must be a finite number, 0 or more, or auto (got best)"),
        (("--noise", "0.1/0.2"), "noise: has 2 numbers for 3 channels"),
        (("--noise", "3"), "noise must be a finite number from 0 to 1"),
        (("-m", "box", "--noise", "auto"), "noise: method box has no such parameter"),
    ],
)
def test_wrong_words(dpid, picture, words, message):
    done = dpid("downscale", "photo.png", "-s", "4", *words)
    assert done.exit_code in (1, 2) and message in done.stderr


def test_learn_takes_numbers_only(dpid, picture):
    done = dpid("learn", "photo.png", "-s", "2", "--lambda", "auto", "-o", "f.json")
    assert done.exit_code == 2 and "auto" in done.stderr


@pytest.mark.parametrize("clear_first", [False, True])
def test_frames_with_and_without_alpha_share_the_numbers(dpid, picture, clear_first):
    opaque = Image.fromarray(picture)
    clear = opaque.copy()
    clear.putalpha(Image.fromarray(np.linspace(0, 255, 96).astype(np.uint8)[None].repeat(72, 0)))
    frames = [clear, opaque.convert("RGBA")] if clear_first else [opaque.convert("RGBA"), clear]
    frames[0].save("many.webp", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    for words in AUTO, ("--noise", "0.02/0.01/0.03"):
        done = dpid("downscale", "many.webp", "-s", "4", *words, "--overwrite", "-o", "small.webp")
        assert done.exit_code == 0, done.stderr


def test_a_list_of_noise_with_alpha(picture):
    Image.fromarray(picture).convert("RGBA").save("alpha.png")
    clear = Image.open("alpha.png")
    clear.putalpha(99)
    clear.save("alpha.png")
    (result,) = batch([("alpha.png", "small.png")], scale=4, workers=1, noise=[0.02, 0.01, 0.03])
    assert result.status == "done", result.error


def test_checks_are_no_more_than_noise(dpid, folder):
    checks = (np.indices((96, 96)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checks).save("checks.png")
    assert automatic(checks, scale=4, noise="auto") == {"noise": (1.0,)}
    assert dpid("downscale", "checks.png", "-s", "4", *AUTO, "-o", "small.png").exit_code == 0
