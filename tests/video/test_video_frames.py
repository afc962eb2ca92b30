"""Every frame is what `dpid downscale` makes of it; lossless codecs show it, and ffmpeg decodes."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.clips import PATTERN, clip, ffmpeg, images, planes, video_of
from support.command import SAMPLES, pixels

RGB = ("-c:v", "ffv1", "-pix_fmt", "bgr0")


def yuv(form: str, *more: str) -> tuple[str, ...]:
    return ("-c:v", "ffv1", "-pix_fmt", form, *more)


def downscaled(frame: np.ndarray, factor: float = 2, **options) -> np.ndarray:
    return dpid_cli.downscale(frame, scale=factor, **options)


@pytest.fixture
def ok(dpid):
    """Run dpid video, which prints the path of its output and nothing else."""

    def run(source: str, output: str, *options: str):
        result = dpid("video", source, output, *options)
        assert (result.exit_code, result.stderr) == (0, "")
        return result

    return run


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-s", "2"), {}),
        (("-s", "3"), {"factor": 3}),
        (("-s", "2.5", "--lambda", "0.5"), {"factor": 2.5, "lambda_": 0.5}),
        (("-s", "4", "-m", "dpp", "--alpha", "0.1"), {"factor": 4, "method": "dpp", "alpha": 0.1}),
        (("-s", "2", "-m", "lanczos"), {"method": "lanczos"}),
    ],
)
def test_rgb_frames_equal_downscaled_images(folder, ok, options, expected):
    clip("in.mkv", *RGB)
    assert ok("in.mkv", "out.mkv", *options).stdout == "out.mkv\n"
    before, after = images("in.mkv"), images("out.mkv")
    assert len(before) == len(after) == 15
    for frame, output in zip(before, after, strict=True):
        np.testing.assert_array_equal(output, downscaled(frame, **expected))


def test_frames_equal_the_command_on_extracted_images(folder, ok, dpid):
    clip("in.mkv", *RGB)
    ffmpeg("-i", "in.mkv", "%03d.png")
    ok("in.mkv", "out.mkv", "-s", "2")
    paths = sorted(str(path.name) for path in folder.glob("0*.png"))
    assert dpid("downscale", *paths, "-s", "2", "-o", "small/").exit_code == 0
    small = sorted((folder / "small").iterdir())
    for path, output in zip(small, images("out.mkv"), strict=True):
        np.testing.assert_array_equal(output, pixels(path))


def test_colours_are_one_image_where_chroma_is_not_subsampled(folder, ok):
    clip("in.mkv", *yuv("yuv444p"))
    ok("in.mkv", "out.mkv", "-s", "2")
    for frame, output in zip(planes("in.mkv", "yuv444p"), planes("out.mkv", "yuv444p"), strict=True):
        np.testing.assert_array_equal(np.stack(output, -1), downscaled(np.stack(frame, -1)))


def by_windows(plane: np.ndarray, size: tuple[int, int], left: Fraction, length: Fraction) -> np.ndarray:
    """Downscale a plane whose first window begins at `left`, by crops with parts of pixels."""
    pad = 4
    wide = np.pad(plane, ((0, 0), (pad, pad)), mode="edge")
    crop = (float(pad + left), 0, float(length), plane.shape[0])
    return dpid_cli.downscale(wide, size=size, crop=crop)


@pytest.mark.parametrize(("factor", "shift"), [(2, Fraction(-1, 4)), (4, Fraction(-3, 4)), (5, Fraction(-1))])
def test_planes_have_their_own_windows_where_chroma_is_subsampled(folder, ok, factor, shift):
    """Samples of chroma that lie on the left before do so after, so windows begin left of the image."""
    clip("in.mkv", *yuv("yuv420p"))
    ok("in.mkv", "out.mkv", "-s", str(factor))
    size = 160 // factor, 120 // factor
    for frame, output in zip(planes("in.mkv", "yuv420p"), planes("out.mkv", "yuv420p"), strict=True):
        np.testing.assert_array_equal(output[0], downscaled(frame[0], factor))
        for before, after in zip(frame[1:], output[1:], strict=True):
            expected = by_windows(before, (size[0] // 2, size[1] // 2), shift, Fraction(80))
            assert np.abs(after.astype(int) - expected).max() <= 1  # coverages are rounded in another way
            assert np.mean(after != expected) < 0.01


def test_chroma_in_the_middle_needs_no_shift(folder, ok):
    clip("in.mp4", "-c:v", "libx264", "-qp", "0", "-x264-params", "chromaloc=1")
    ok("in.mp4", "out.mkv", "-s", "2", "--codec", "ffv1")
    for frame, output in zip(planes("in.mp4", "yuv420p"), planes("out.mkv", "yuv420p"), strict=True):
        for before, after in zip(frame, output, strict=True):
            np.testing.assert_array_equal(after, downscaled(before))


def test_a_ramp_of_chroma_stays_where_it_is(folder, ok):
    """What siting means, by a formula: chroma that is linear in x has the same values at the same places."""
    luma, flat = np.full((120, 160), 30000, "<u2"), np.full((60, 80), 32768, "<u2")
    ramp = np.broadcast_to(8000 + 400 * np.arange(80), (60, 80)).astype("<u2")  # of pixels 0, 2, 4 ...
    ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p16le", "-s", "160x120", "-i", "-",
           *yuv("yuv420p16le"), "in.mkv",
           input=luma.tobytes() + ramp.tobytes() + flat.tobytes())  # fmt: skip
    ok("in.mkv", "out.mkv", "-s", "2", "-m", "box")
    # Pixel j of the output lies in the middle between pixels 2 j and 2 j + 1.
    expected = 8000 + 200 * (2 * (2 * np.arange(1, 39)) + 0.5)
    np.testing.assert_allclose(planes("out.mkv", "yuv420p16le")[0][1][20, 1:39], expected, atol=1)


@pytest.mark.parametrize("form", ["yuv420p10le", "yuv444p10le", "gray10le", "gbrp12le", "yuv422p16le"])
def test_more_than_8_bits(folder, ok, form):
    bits = int("".join(filter(str.isdigit, form.split("p")[-1] if "p" in form else form)))
    clip("in.mkv", *yuv(form))
    ok("in.mkv", "out.mkv", "-s", "2")
    assert video_of("out.mkv")["pix_fmt"] == form
    for frame, output in zip(planes("in.mkv", form), planes("out.mkv", form), strict=True):
        wide = [plane << (16 - bits) for plane in frame]
        if form.startswith("yuv42"):
            expected = [downscaled(wide[0])]
        else:
            order = [2, 0, 1] if form.startswith("gbr") else range(len(wide))
            image = (
                downscaled(np.stack([wide[i] for i in order], -1))
                if len(wide) > 1
                else downscaled(wide[0])[..., None]
            )
            expected = [image[..., list(order).index(i)] for i in range(len(wide))]
        for plane, values in zip(output, expected, strict=False):
            half = (1 << (16 - bits)) >> 1
            rounded = np.minimum((values.astype(np.uint32) + half) >> (16 - bits), (1 << bits) - 1)
            np.testing.assert_array_equal(plane, rounded)


@pytest.mark.parametrize("depth", [8, 16])
def test_numbered_images_in_and_out(folder, ok, dpid, depth):
    form = {8: "rgb24", 16: "rgb48be"}[depth]
    ffmpeg(*PATTERN, "-frames:v", "4", "-pix_fmt", form, "-start_number", "7", "%04d.png")
    ok("%04d.png", "small/%03d.png", "-s", "2")
    assert sorted(path.name for path in (folder / "small").iterdir()) == [f"{n:03}.png" for n in range(7, 11)]
    names = [f"{number:04}.png" for number in range(7, 11)]
    assert dpid("downscale", *names, "-s", "2", "-o", "one/").exit_code == 0
    for number, name in enumerate(sorted((folder / "one").iterdir()), 7):
        shown, expected = f"small/{number:03}.png", str(name)
        np.testing.assert_array_equal(read_deep(shown), read_deep(expected))


def read_deep(path: str) -> np.ndarray:
    form = "gbrp16le"
    return np.stack(planes(path, form)[0])


def test_images_become_a_video_and_a_video_images(folder, ok):
    for number, shift in enumerate(range(0, 40, 8)):
        image = Image.open(SAMPLES / "chelsea.png").crop((shift, 0, shift + 200, 160))
        image.save(f"{number:02}.png")
    ok("%02d.png", "out.mkv", "-s", "2", "--codec", "ffv1", "--rate", "24000/1001")
    assert video_of("out.mkv")["avg_frame_rate"] in ("24000/1001", "23976/1000", "2997/125")
    for number, output in enumerate(images("out.mkv")):
        np.testing.assert_array_equal(output, downscaled(pixels(f"{number:02}.png")))
    ok("out.mkv", "back/%d.png", "-s", "1")
    for number, output in enumerate(images("out.mkv"), 1):
        np.testing.assert_array_equal(pixels(f"back/{number}.png"), output)


def test_yuv_becomes_the_images_that_ffmpeg_extracts(folder, ok, dpid):
    """But for rounding in two versions of libswscale, at the edges of colours."""
    clip(
        "in.mp4",
        "-c:v",
        "libx264",
        "-qp",
        "0",
        "-colorspace",
        "bt709",
        "-color_range",
        "tv",
        "-pix_fmt",
        "yuv444p",
    )
    ok("in.mp4", "%02d.png", "-s", "2")
    ffmpeg("-i", "in.mp4", "-vf", "scale=in_color_matrix=bt709:flags=accurate_rnd+full_chroma_int",
           "-pix_fmt", "rgb24",
           "full%02d.png")  # fmt: skip
    for number in range(1, 16):
        expected = downscaled(pixels(f"full{number:02}.png")).astype(int)
        difference = np.abs(pixels(f"{number:02}.png") - expected)
        assert difference.mean() < 0.5 and np.quantile(difference, 0.999) <= 2


def test_one_lambda_and_one_noise_for_all_frames(folder, ok):
    clip("in.mkv", *RGB, source=("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=0.6,noise=alls=8:allf=t"))
    result = ok("in.mkv", "out.mkv", "-s", "4", "--lambda", "auto", "--noise", "auto", "--json")
    used = json.loads(result.stdout)["parameters"]
    assert 0 < used["lambda"] <= 0.75 and len(used["noise"]) == 3
    for frame, output in zip(images("in.mkv"), images("out.mkv"), strict=True):
        expected = downscaled(frame, 4, lambda_=used["lambda"], noise=used["noise"])
        np.testing.assert_array_equal(output, expected)


def test_compare_shows_box_on_the_left(folder, ok):
    clip("in.mkv", *RGB)
    ok("in.mkv", "out.mkv", "-s", "2", "--compare", "--lambda", "2")
    for frame, output in zip(images("in.mkv"), images("out.mkv"), strict=True):
        np.testing.assert_array_equal(output[:, :80], downscaled(frame, method="box"))
        np.testing.assert_array_equal(output[:, 80:], downscaled(frame, lambda_=2))


def test_start_end_and_every_choose_frames(folder, ok):
    clip("in.mkv", *RGB)
    ok("in.mkv", "out.mkv", "-s", "2", "--start", "0:00.12", "--end", "0.48", "--every", "3")
    chosen = images("in.mkv")[3:12:3]
    for frame, output in zip(chosen, images("out.mkv"), strict=True):
        np.testing.assert_array_equal(output, downscaled(frame))


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_videos_become_upright(folder, ok, degrees, turns):
    clip("flat.mp4", "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p")
    ffmpeg("-i", "flat.mp4", "-c", "copy", "-metadata:s:v", f"rotate={degrees}", "in.mp4")
    ok("in.mp4", "out.mkv", "-s", "2", "--codec", "ffv1")
    for frame, output in zip(planes("in.mp4", "yuv444p"), planes("out.mkv", "yuv444p"), strict=True):
        turned = np.rot90(np.stack(frame, -1), turns)
        np.testing.assert_array_equal(np.stack(output, -1), downscaled(turned))
    upright = ffmpeg("-i", "in.mp4", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "yuv444p", "-")
    first = np.stack([np.rot90(plane, turns) for plane in planes("in.mp4", "yuv444p")[0]])
    assert first.tobytes() == upright  # as ffmpeg turns it


def test_crops_and_fills(folder, ok):
    clip("in.mkv", *RGB)
    ok("in.mkv", "crop.mkv", "-s", "2", "--crop", "10,20,100,60")
    ok("in.mkv", "fill.mkv", "--size", "40x40", "--fit", "fill")
    for frame, crop, fill in zip(images("in.mkv"), images("crop.mkv"), images("fill.mkv"), strict=True):
        np.testing.assert_array_equal(crop, downscaled(frame[20:80, 10:110]))
        np.testing.assert_array_equal(fill, dpid_cli.downscale(frame[:, 20:140], size=(40, 40)))


def test_interlaced_frames_are_deinterlaced_by_bwdif(folder, ok):

    clip(
        "in.mp4",
        "-vf",
        "interlace",
        "-c:v",
        "libx264",
        "-qp",
        "0",
        "-pix_fmt",
        "yuv444p",
        "-flags",
        "+ilme+ildct",
    )
    ok("in.mp4", "out.mkv", "-s", "2", "--codec", "ffv1", "--interlaced", "deinterlace")
    ffmpeg("-i", "in.mp4", "-vf", "bwdif=mode=send_frame", *yuv("yuv444p"), "whole.mkv")
    whole, small = planes("whole.mkv", "yuv444p"), planes("out.mkv", "yuv444p")
    assert len(whole) == len(small)
    for frame, output in list(zip(whole, small, strict=True))[1:-1]:
        assert np.abs(np.stack(output, -1).astype(int) - downscaled(np.stack(frame, -1))).mean() < 0.5
