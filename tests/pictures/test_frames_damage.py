"""Animations that are damaged, truncated or too large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dpid_cli
from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import FileError
from dpid_cli.pictures import (
    MAX_FRAMES,
)
from support.animations import (
    LOSSLESS,
    PALETTE,
    apng,
    block,
    chunk,
    frames_of,
    gif,
    opaque_frames,
    played,
    rgba,
    saved,
)
from support.command import is_one_error_line


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_an_animation_that_is_cut_off(dpid, folder, kind):
    whole = saved(opaque_frames(), kind).getvalue()
    before = frames_of(whole)
    Path("a").write_bytes(whole[: len(whole) * 2 // 3])
    refused = dpid("downscale", "a", "-s", "2", "-o", "b.png")
    assert refused.exit_code == 1 and is_one_error_line(refused.stderr) and not Path("b.png").exists()
    taken = dpid("downscale", "a", "-s", "1", "-m", "box", "-o", "b.png", "--truncated", "accept")
    assert taken.exit_code == 0 and taken.stderr.count("\n") <= 1
    found, _, _ = played("b.png")
    assert 2 <= len(found) < 6
    for frame, picture in zip(found[:-1], before, strict=False):
        np.testing.assert_array_equal(frame, rgba(picture.pixels))


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif"])
def test_most_frames(dpid, folder, kind):
    frames = opaque_frames()
    options = {"webp": LOSSLESS}.get(kind, {})
    Path("a").write_bytes(saved(frames, {"tif": "TIFF"}.get(kind, kind.upper()), **options).getvalue())
    for limit, code in (("6", 0), ("5", 1)):
        result = dpid(
            "downscale", "a", "-s", "2", "-m", "box", "--max-frames", limit, "-o", f"b{limit}.{kind}"
        )
        assert result.exit_code == code
    assert is_one_error_line(result.stderr) and "more than 5 frames" in result.stderr
    assert "--max-frames" in result.stderr and not Path(f"b5.{kind}").exists()
    assert dpid("downscale", "a", "-s", "2", "--max-frames", "0").exit_code == 2


def test_an_endless_gif_ends_soon(folder):
    frame = gif((1000, 1000), [((0, 0), block(1), 2, None)], PALETTE, tail=b"")
    Path("a.gif").write_bytes(frame + frame[25:] * 200_000)
    code = "import sys; from dpid_cli.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "downscale", "a.gif", "-s", "2"],
        capture_output=True,
        timeout=5,
        text=True,
    )
    assert done.returncode == 1 and is_one_error_line(done.stderr)
    assert f"more than {MAX_FRAMES} frames" in done.stderr


def test_pixels_of_all_frames_together(dpid, folder):
    frame = gif((1000, 1000), [((0, 0), block(1), 2, None)], PALETTE, tail=b"")
    Path("a.gif").write_bytes(frame + frame[25:] * 99)
    result = dpid("downscale", "a.gif", "-s", "2", "--max-pixels", "1M")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert "100 frames or pages together: more than 64 million pixels" in result.stderr


def test_a_frame_that_is_larger_than_allowed(dpid, folder):
    frames = [((0, 0), block(1), 1, None), ((0, 0), block(2, 300, 300), 1, None)]
    Path("a.gif").write_bytes(gif((4, 4), frames, PALETTE))
    result = dpid("downscale", "a.gif", "-s", "2", "--max-pixels", "10k")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert result.stderr.startswith("a.gif: frame 1: more than 10000 pixels")


def test_memory_does_not_grow_with_the_number_of_frames(folder):
    """200 frames of 1200 x 1000 pixels would be nearly 1 GB."""
    frames = [((0, 0), block(1, 1200, 1000), 1, None)]  # opaque, which is quicker
    frames += [((5 * k, 5 * k), block(k % 3 + 1, 20, 20), 1, None) for k in range(199)]
    Path("a.gif").write_bytes(gif((1200, 1000), frames, PALETTE))
    code = """
from pathlib import Path
from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
for frame in (0, None):
    recipe = Recipe(SizeRequest("scale", 20.0), "box", frame=frame)
    outcome = Job(("a.gif",), recipe, output="b.gif", overwrite=True).run("a.gif")
    # Not what getrusage tells, which counts the process that started this one, too.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(outcome.frames, peak.split()[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=100
    )
    (one, before), (many, after) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (one, many) == (1, 200)
    assert after - before < 40_000  # KiB: some copies of the canvas, of 4.8 MB each


def test_recipes_have_it_without_the_command(folder):
    Path("a.gif").write_bytes(saved(opaque_frames(), "GIF").getvalue())
    recipe = Recipe(SizeRequest("scale", 2.0), "box", frame=2)
    recipe.checked()
    with Path("a.gif").open("rb") as stream:
        picture = recipe.read(stream, "a.gif")
    np.testing.assert_array_equal(picture.pixels, frames_of(Path("a.gif").read_bytes())[2].pixels)
    with pytest.raises(dpid_cli.DpidError, match="max-frames"):
        Recipe(SizeRequest("scale", 2.0), max_frames=0).checked()
    outcome = Job(("a.gif",), Recipe(SizeRequest("scale", 2.0), "box"), output="b.webp").run("a.gif")
    assert outcome.frames == 6


def test_metadata_too_damaged_for_pillow_costs_no_animation(folder, dpid):
    whole = saved(opaque_frames(), "PNG").getvalue()
    bad = whole[:33] + chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000) + whole[33:]
    Path("a.png").write_bytes(bad)
    result = dpid("downscale", "a.png", "-s", "2", "-o", "b.png")
    assert result.exit_code == 0 and "dropped" in result.stderr
    assert len(played("b.png")[0]) == 6


def test_a_frame_outside_its_png():
    image = np.zeros((3, 3, 4), np.uint8)
    content = apng((2, 2), [((0, 0), image[:2, :2], 0, 0), ((0, 0), image, 0, 0)])
    with pytest.raises(FileError, match="larger than the image"):
        frames_of(content)


def test_frames_that_are_missing_are_told(dpid, folder):
    frames = [((0, 0), block(k % 3 + 1), 1, None) for k in range(6)]
    data = gif((2, 2), frames, PALETTE)
    Path("a.gif").write_bytes(data[: len(data) * 2 // 3])
    assert dpid("downscale", "a.gif", "-s", "1", "-m", "box", "-o", "b.gif").exit_code == 1
    words = ["downscale", "a.gif", "-s", "1", "-m", "box", "-o", "b.gif", "--truncated", "accept"]
    result = dpid(*words)
    assert result.exit_code == 0 and "only its first" in result.stderr
