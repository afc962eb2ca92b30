"""Files of a given size: within 2 % below it, or said to be impossible."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import dpid_cli
from dpid_cli.cli.sections import byte_count
from dpid_cli.errors import FileError, collected
from dpid_cli.pictures import FORMATS, Picture, PictureSequence, write_sequence
from support.command import SAMPLES, is_one_error_line
from support.folders import lines

SAMPLE_NAMES = ("chelsea.png", "hubble_deep_field.jpg", "page.png", "rocket.jpg", "camera.png", "text.png")
LOSSY = ("jpeg", "webp", "jxl", "avif", "heif")


def crops(count: int) -> list[np.ndarray]:
    """Parts of the samples, of several sizes, brightnesses and scales."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(count):
        with Image.open(SAMPLES / SAMPLE_NAMES[number % len(SAMPLE_NAMES)]) as image:
            side = int(rng.integers(96, 1 + min(image.size)))
            left, top = (int(rng.integers(0, 1 + length - side)) for length in image.size)
            part = image.convert("RGB").crop((left, top, left + side, top + side - int(rng.integers(0, 30))))
        part.thumbnail((int(rng.integers(90, 260)),) * 2, Image.Resampling.BOX)
        found.append(np.array(np.asarray(part) * rng.uniform(0.5, 1) + 0.5).astype(np.uint8))
    return found


def written(frames: list[np.ndarray], format_: str, **options) -> tuple[bytes, list[str], float]:
    """The file, warnings, and the quality that was used."""
    stream, kind = io.BytesIO(), "animation" if len(frames) > 1 else "still"
    pictures = iter([Picture(frame, False, None, duration=100) for frame in frames])
    with collected() as warnings:
        used = write_sequence(
            PictureSequence(kind, pictures, len(frames)), stream, FORMATS[format_].tuned(options), "out"
        )
    return stream.getvalue(), warnings, used.options["quality"]


def check(frames: list[np.ndarray], format_: str, bits: float) -> str:
    """Write frames in this many bits a pixel; what came of it."""
    most = max(1, int(bits * frames[0].shape[0] * frames[0].shape[1] * len(frames) / 8))
    try:
        file, warnings, quality = written(frames, format_, target_size=most)
    except FileError as error:
        assert is_one_error_line(f"{error}\n")
        assert len(written(frames, format_, quality=1)[0]) > most
        return "too small"
    assert len(file) <= most
    if len(file) >= 0.98 * most:
        assert not warnings
        return "filled"
    (line,) = warnings
    assert line.startswith(f"out: {len(file)} of {most} bytes: ")
    if quality == 100:
        assert line.endswith("this is the best quality")
        return "best"
    assert line.endswith("no quality comes closer")
    return "between"


@pytest.mark.parametrize("format_", LOSSY)
def test_target_size(format_):
    slow = format_ in ("avif", "heif")  # and coarse
    results = [check([array], format_, bits) for array in crops(1 if slow else 4) for bits in (1.2, 3)]
    assert results.count("filled") >= len(results) // 2
    assert results.count("between") <= slow


@pytest.mark.soak
def test_two_hundred_images():
    """Formats take turns; JPEG, which has the finest steps, is never between two sizes."""
    results: dict[str, list[str]] = {format_: [] for format_ in LOSSY}
    rng = np.random.default_rng(6)
    for number, array in enumerate(crops(200)):
        format_ = ("jpeg", "webp", "jpeg", "avif", "jpeg", "webp", "jxl", "heif")[number % 8]
        results[format_].append(check([array], format_, float(np.exp(rng.uniform(np.log(0.4), np.log(6))))))
    assert sum(map(len, results.values())) == 200
    assert "between" not in results["jpeg"]
    coarse = results.pop("heif")  # whose steps are large in images as small as these
    assert sum(each.count("between") for each in results.values()) <= 6
    assert all(each.count("filled") > len(each) / 3 for each in (coarse, *results.values()))


@pytest.mark.parametrize("format_", LOSSY)
def test_impossible_and_more_than_needed(format_):
    (array,) = crops(1)
    assert check([array], format_, 0.004) == "too small"
    assert check([array], format_, 200) == "best"


def test_qualities_between_whole_numbers():
    """A quality like 96.3 gives files between those of 96 and of 97."""
    (array,) = crops(1)
    for whole in (93, 96, 98):
        low, high = (len(written([array], "jpeg", quality=whole + k)[0]) for k in (0, 1))
        assert high > 1.04 * low
        file, _, quality = written([array], "jpeg", target_size=round(1.03 * low))
        assert low < len(file) < high and whole < quality < whole + 1


def test_more_bytes_are_better():
    (array,) = crops(1)
    errors = []
    for bits in (0.8, 1.6, 2.4, 3.2):
        file = written([array], "jpeg", target_size=int(bits * array[..., 0].size / 8))[0]
        read = np.asarray(Image.open(io.BytesIO(file))).astype(float)
        errors.append(((read - array) ** 2).mean())
    assert errors == sorted(errors, reverse=True)


def test_animations():
    frames = [array[:80, :90] for array in crops(8) if array.shape >= (80, 90)][:3]
    assert len(frames) == 3 and check(frames, "webp", 2) == "filled"
    file = written(frames, "webp", target_size=6000)[0]
    assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(file))))) == 3


def test_command(dpid, folder):
    exif = Image.Exif()
    exif[0x010E] = "x" * 2000  # counts, too
    Image.open(SAMPLES / "chelsea.png").save("in.png", exif=exif)
    result = dpid("downscale", "in.png", "-s", "3", "--target-size", "9kB", "-o", "out.jpg", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    outcome = json.loads(result.stdout)
    assert 1 < outcome["quality"] < 100 and outcome["quality"] == round(outcome["quality"], 3)
    assert 0.98 * 9000 <= Path("out.jpg").stat().st_size <= 9000
    result = dpid("downscale", "in.png", "-s", "3", "--target-size", "9kB", "-o", "v.jpg", "-v")
    assert f", quality {outcome['quality']:.4g} in " in result.stderr
    assert Path("v.jpg").read_bytes() == Path("out.jpg").read_bytes()
    result = dpid("downscale", "in.png", "-s", "3", "--target-size", "2.1KiB", "-o", "tiny.jpg")
    assert (result.exit_code, Path("tiny.jpg").exists()) == (1, False)
    assert is_one_error_line(result.stderr) and "more than the 2150 of --target-size" in result.stderr
    assert (
        json.loads(dpid("downscale", "in.png", "-s", "3", "-o", "q.jpg", "--json").stdout)["quality"] is None
    )


def test_batch(dpid, folder):
    for name in ("chelsea.png", "rocket.jpg"):
        Image.open(SAMPLES / name).convert("RGB").save(f"{Path(name).stem}.png")
    command = ("batch", ".", "out", "-s", "3", "-s", "4", "--target-size", "8k", "--format", "webp")
    assert dpid(*command, "--report", "r.jsonl").exit_code == 0
    sizes = {path.stat().st_size for path in Path("out").rglob("*.webp")}
    assert len(list(Path("out").rglob("*.webp"))) == 4 and all(7840 <= size <= 8000 for size in sizes)
    for line in lines().values():
        assert len(line["qualities"]) == 2 and all(1 < quality < 100 for quality in line["qualities"])
    again = dpid(*command, "--report", "r.jsonl", "--resume", "--json")
    assert json.loads(again.stdout)["skipped"] == 2
    assert all(len(line["qualities"]) == 2 for line in lines().values())


def test_library(folder):
    Image.open(SAMPLES / "chelsea.png").save("in.png")
    (result,) = dpid_cli.batch([("in.png", "out.jpg")], scale=3, encoding={"target_size": 9000})
    assert 0.98 * 9000 <= Path("out.jpg").stat().st_size <= 9000
    assert len(result.qualities) == 1


def test_small_images_are_encoded_anew(dpid, folder):
    """A copy of the bytes would be larger than asked for."""
    Image.fromarray(crops(1)[0]).save("in.jpg", quality=99)
    result = dpid(
        "downscale", "in.jpg", "--width", "999", "--if-smaller", "copy", "--target-size", "3k", "-o", "a.jpg"
    )
    assert result.exit_code == 0 and 2940 <= Path("a.jpg").stat().st_size <= 3000


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("200kB", 200_000), ("200KB", 200_000), ("200 kb", 200_000), ("200k", 200_000), ("200KiB", 204_800),
        ("1.5MB", 1_500_000), ("1.5MiB", 1_572_864), ("0.5k", 500), ("1G", 10**9), ("1GiB", 2**30),
        ("50000", 50_000), ("50000 bytes", 50_000), ("50000B", 50_000),
    ],
)  # fmt: skip
def test_units(text, count):
    assert byte_count(text) == count
