"""Clips of the real VapourSynth: planes against arrays, siting against its own resizer, and vspipe."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import dpid_cli

vs = pytest.importorskip("vapoursynth")

from dpid_cli.integrations.vapoursynth import downscale  # noqa: E402

core = vs.core


def clip_of(*frames: list[np.ndarray], form: int, **props: int):
    """A clip whose frames have these planes."""
    height, width = frames[0][0].shape
    blank = core.std.BlankClip(width=width, height=height, format=form, length=len(frames))

    def filled(n, f):
        result = f.copy()
        for number, plane in enumerate(frames[n]):
            np.copyto(np.asarray(result[number]), plane)
        result.props.update(props)
        return result

    return blank.std.ModifyFrame(blank, filled)


def planes_of(clip, n: int = 0) -> list[np.ndarray]:
    with clip.get_frame(n) as frame:
        return [np.array(frame[number]) for number in range(frame.format.num_planes)]


def random_planes(form: int, seed: int = 0, size: tuple[int, int] = (160, 120)) -> list[np.ndarray]:
    """Random planes of a format; of floats in the ranges that VapourSynth gives them."""
    rng, described = np.random.default_rng(seed), core.get_video_format(form)
    planes = []
    for number in range(described.num_planes):
        shift = (described.subsampling_w, described.subsampling_h) if number else (0, 0)
        shape = size[1] >> shift[1], size[0] >> shift[0]
        if described.sample_type == vs.FLOAT:
            middle = 0.5 if number and described.color_family == vs.YUV else 0
            planes.append((rng.random(shape) - middle).astype({2: "f2", 4: "f4"}[described.bytes_per_sample]))
        else:
            dtype = np.uint8 if described.bytes_per_sample == 1 else np.uint16
            planes.append(rng.integers(0, 1 << described.bits_per_sample, shape).astype(dtype))
    return planes


def test_colours_are_one_image():
    planes = random_planes(vs.RGB24)
    result = downscale(clip_of(planes, form=vs.RGB24), scale=2.5, lambda_=0.8)
    assert (result.width, result.height, result.format.id, result.num_frames) == (64, 48, vs.RGB24, 1)
    expected = dpid_cli.downscale(np.dstack(planes), scale=2.5, lambda_=0.8)
    np.testing.assert_array_equal(np.dstack(planes_of(result)), expected)


@pytest.mark.parametrize("form", [vs.GRAY10, vs.RGB30, vs.YUV444P12, vs.RGB48, vs.GRAY8, vs.YUV444P14])
def test_integers_of_any_depth_are_rounded(form):
    """Against floats, which know no depth: results are rounded to 16 bits, then to those of the clip."""
    planes, bits = random_planes(form), core.get_video_format(form).bits_per_sample
    result = np.stack(planes_of(downscale(clip_of(planes, form=form), size=(40, 60))), -1)
    exact = dpid_cli.downscale(np.stack(planes, -1) / (2**bits - 1), size=(40, 60)) * (2**bits - 1)
    assert result.max() < 2**bits
    np.testing.assert_allclose(result, exact, atol=0.5 + 0.5 / 2 ** (16 - bits) + 0.01)


@pytest.mark.parametrize(("form", "tolerance"), [(vs.RGBS, 1e-6), (vs.YUV444PS, 1e-6), (vs.RGBH, 1e-3)])
def test_floats(form, tolerance):
    planes = random_planes(form)
    result = downscale(clip_of(planes, form=form), scale=4)
    assert result.format.id == form
    image = np.dstack(planes).astype(np.float64)
    expected = dpid_cli.downscale(image, scale=4, value_range=(0, 1))
    np.testing.assert_allclose(np.dstack(planes_of(result)), expected, atol=tolerance)


def test_chroma_of_floats_is_that_of_integers():
    """Its middle is 0, which a power mean would take for black."""
    whole = random_planes(vs.YUV420P16)
    floats = [(plane / 65535 - (0.5 if number else 0)).astype("f4") for number, plane in enumerate(whole)]
    options = {"scale": 2, "method": "lp", "power": 3}
    integers = planes_of(downscale(clip_of(whole, form=vs.YUV420P16), **options))
    for number, (plane, other) in enumerate(
        zip(planes_of(downscale(clip_of(floats, form=vs.YUV420PS), **options)), integers, strict=True)
    ):
        np.testing.assert_allclose(plane + (0.5 if number else 0), other / 65535, atol=2e-5)


def by_windows(
    plane: np.ndarray, size: tuple[int, int], start: tuple[Fraction, Fraction], length: tuple[int, int]
) -> np.ndarray:
    """Downscale a plane whose first window begins at `start`, by crops with parts of pixels."""
    pad = 8
    wide = np.pad(plane, pad, mode="edge")
    crop = (float(pad + start[0]), float(pad + start[1]), *length)
    return dpid_cli.downscale(wide, size=size, crop=crop)


QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)


@pytest.mark.parametrize(
    ("location", "across", "down"),
    [(0, -1, 0), (1, 0, 0), (2, -1, -1), (3, 0, -1), (4, -1, 1), (5, 0, 1), (None, -1, 0)],
)
@pytest.mark.parametrize("factor", [2, 5])
def test_planes_have_their_own_windows_where_chroma_is_subsampled(location, across, down, factor):
    planes, size = random_planes(vs.YUV420P8), (160 // factor, 120 // factor)
    props = {} if location is None else {"_ChromaLocation": location}
    result = planes_of(downscale(clip_of(planes, form=vs.YUV420P8, **props), size=size))
    np.testing.assert_array_equal(result[0], dpid_cli.downscale(planes[0], size=size))
    start = across * QUARTER * (factor - 1), down * QUARTER * (factor - 1)
    for before, after in zip(planes[1:], result[1:], strict=True):
        expected = by_windows(before, (size[0] // 2, size[1] // 2), start, (80, 60))
        assert np.abs(after.astype(int) - expected).max() <= 1  # coverages are rounded in another way
        assert np.mean(after != expected) < 0.02


@pytest.mark.parametrize("location", range(6))
@pytest.mark.parametrize("form", [vs.YUV420PS, vs.YUV422PS, vs.YUV440PS, vs.YUV411PS])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, -2.0)])
def test_a_ramp_lies_where_the_own_resizer_puts_it(location, form, shift):
    """Away from the edges, a mean of a ramp is the ramp in the middle of the window, as of a triangle."""
    shapes = [plane.shape for plane in random_planes(form)]
    planes = [
        (np.add.outer(0.003 * np.arange(shape[0]), 0.002 * np.arange(shape[1])) - 0.1).astype("f4")
        for shape in shapes
    ]
    clip = clip_of(planes, form=form, _ChromaLocation=location)
    moved = {"src_left": shift[0], "src_top": shift[1]}
    ours = planes_of(downscale(clip, scale=4, method="box", **moved))
    theirs = planes_of(clip.resize.Bilinear(40, 30, **moved))
    inside = slice(4, -4)
    eighth = 0.002 / 8 if form == vs.YUV411PS else 0  # positions are rounded to quarters of a sample
    for plane, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(plane[inside, inside], expected[inside, inside], atol=eighth + 3e-6)


def test_windows_begin_where_they_are_asked_to():
    planes = random_planes(vs.RGB48)
    result = downscale(clip_of(planes, form=vs.RGB48), scale=4, src_left=-1.25, src_top=2.5)
    wide = np.pad(np.dstack(planes), ((8, 8), (8, 8), (0, 0)), mode="edge")
    expected = dpid_cli.downscale(wide, size=(40, 30), crop=(6.75, 10.5, 160, 120))
    np.testing.assert_allclose(np.dstack(planes_of(result)), expected, atol=1)


def test_numbers_for_auto_are_medians_of_frames():
    rng = np.random.default_rng(3)
    frames = [[rng.normal(0.5, 0.02 * number, (96, 96)).astype("f4")] for number in range(1, 6)]
    clip = clip_of(*frames, form=vs.GRAYS)
    found = [dpid_cli.automatic(plane, scale=4, lambda_="auto", noise="auto") for (plane,) in frames]
    middle = {"lambda_": sorted(one["lambda_"] for one in found)[2], "noise": found[2]["noise"]}
    result = downscale(clip, scale=4, lambda_="auto", noise="auto")
    for number, (plane,) in enumerate(frames):
        expected = dpid_cli.downscale(plane, scale=4, **middle)
        np.testing.assert_array_equal(planes_of(result, number)[0], expected)


def test_properties_stay_and_the_shape_of_pixels_follows():
    planes = random_planes(vs.YUV420P8)
    clip = clip_of(planes, form=vs.YUV420P8, _SARNum=4, _SARDen=3, _Matrix=1, Own=7)
    ours = dict(downscale(clip, size=(40, 60)).get_frame(0).props)
    theirs = dict(clip.resize.Point(40, 60).get_frame(0).props)
    for name in ("_SARNum", "_SARDen", "_Matrix", "Own", "_DurationNum", "_DurationDen"):
        assert ours[name] == theirs[name], name
    assert "_SARNum" not in downscale(clip_of(planes, form=vs.YUV420P8), scale=2).get_frame(0).props


def test_a_scale_rounds_down_to_whole_chroma_and_a_size_must_fit():
    clip = core.std.BlankClip(width=150, height=90, format=vs.YUV420P8, length=1)
    result = downscale(clip, scale=2)
    assert (result.width, result.height) == (74, 44)
    with pytest.raises(dpid_cli.SizeError, match=r"multiples of 2 and 2: use \(74, 44\)"):
        downscale(clip, size=(75, 45))


def test_every_frame_is_computed_whatever_their_order():
    frames = [random_planes(vs.YUV420P10, seed) for seed in range(6)]
    result = downscale(clip_of(*frames, form=vs.YUV420P10), scale=2)
    apart = [planes_of(result, n) for n in (5, 0, 3)]
    whole = [[np.array(frame[plane]) for plane in range(3)] for frame in result.frames()]
    for n, planes in zip((5, 0, 3), apart, strict=True):
        for plane, other in zip(planes, whole[n], strict=True):
            np.testing.assert_array_equal(plane, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either scale or size"),
        ({"scale": 0.5}, "would enlarge"),
        ({"scale": 2, "method": "sinc"}, "method"),
        ({"scale": 2, "lambda_": -1}, "lambda must be a finite number, 0 or more"),
        ({"scale": 2, "linear": True}, "linear: downscale has no such argument for clips"),
        ({"scale": 2, "method": "box", "window": 5}, "window: does not fit the planes of YUV420P8"),
        ({"scale": 2, "src_left": 200}, "src_left must be a number of pixels inside the clip"),
        ({"scale": 2, "src_top": float("nan")}, "src_top must be a number"),
        ({"scale": 2, "guidance": np.zeros((60, 80))}, "guidance must be a name"),
    ],
)
def test_wrong_arguments_fail_before_any_frame(arguments, message):
    clip = core.std.BlankClip(width=160, height=120, format=vs.YUV420P8, length=1)
    with pytest.raises(dpid_cli.DpidError, match=message):
        downscale(clip, **arguments)


def test_other_clips_are_refused():
    with pytest.raises(dpid_cli.DpidError, match="more than 16 bits"):
        downscale(core.std.BlankClip(format=vs.GRAY32), scale=2)
    with pytest.raises(dpid_cli.DpidError, match="must be a VideoNode"):
        downscale(np.zeros((8, 8)), scale=2)
    small, large = (core.std.BlankClip(width=width, height=64, length=1) for width in (64, 128))
    with pytest.raises(dpid_cli.DpidError, match="format or size changes"):
        downscale(core.std.Splice([small, large], mismatch=True), scale=2)


def test_interlaced_frames_are_an_error():
    clip = clip_of(random_planes(vs.YUV420P8), form=vs.YUV420P8, _FieldBased=2)
    with pytest.raises(vs.Error, match="a frame is interlaced: deinterlace the clip"):
        downscale(clip, scale=2).get_frame(0)
    downscale(clip.std.SetFrameProps(_FieldBased=0), scale=2).get_frame(0)


SCRIPT = """
import vapoursynth as vs
from dpid_cli.integrations.vapoursynth import downscale

clip = vs.core.std.BlankClip(width=320, height=180, format=vs.YUV420P8, color=[80, 90, 200], length=3)
downscale(clip, scale=2, lambda_=1).set_output()
"""


def test_vspipe_runs_a_script(folder):
    """As people run it: frames in a pipe, here to this test."""
    Path("small.vpy").write_text(SCRIPT)
    command = [Path(sys.executable).with_name("vspipe"), "-c", "y4m", "small.vpy", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    header, *frames = done.stdout.split(b"FRAME\n")
    assert header.startswith(b"YUV4MPEG2 C420 W160 H90") or b" W160 H90 " in header
    assert len(frames) == 3
    for frame in frames:
        assert frame == bytes([80] * (160 * 90) + [90] * (80 * 45) + [200] * (80 * 45))
