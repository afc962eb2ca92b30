"""Measure what docs/video.md says: ``python docs/video_study.py [colour|flicker|speed]``."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.color import deltaE_ciede2000, rgb2lab

import dpid_cli
from dpid_cli.downscaling.planes import Planes, aligned
from dpid_cli.video.frames import Colour, Converter, Pixels, frame_of, planes_of

SAMPLES = Path(__file__).parents[1] / "samples"
HD, RGB = Colour(1, 1, 1, False), Colour(1, 1, 0, True)
SIDES = 640, 1080  # of the largest part of a sample
FRAMES, STEP = 48, 1  # of a pan, and pixels that it moves between two
SECONDS, RATE, ROUNDS = 8, 25, 3  # of the clip whose speed is measured, and how often
CLIP = f"testsrc2=size=1920x1080:rate={RATE}:duration={SECONDS},noise=alls=8:allf=t"
FFMPEG = ("ffmpeg", "-v", "error", "-y", "-nostdin")
Frame = NDArray[Any]


def drawing(seed: int) -> Frame:
    """Thin lines, dots and words of random colours on a smooth background."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(0, 256, (5, 7, 3), np.uint8)).resize(
        (960, 640), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(image)
    colours = [tuple(map(int, colour)) for colour in random.integers(0, 256, (385, 3))]
    for colour in colours[:60]:
        ends = random.integers(0, (960, 640), (2, 2))
        draw.line([tuple(map(int, end)) for end in ends], fill=colour, width=int(random.integers(1, 4)))
    for colour in colours[60:360]:
        x, y = map(int, random.integers(0, (950, 630)))
        side = int(random.integers(1, 3))
        draw.rectangle([x, y, x + side, y + side], fill=colour)
    for colour in colours[360:]:
        draw.text(tuple(map(int, random.integers(0, (800, 620)))), "Detail 0123 colour", fill=colour)
    return np.asarray(image)


def sample(name: str) -> Frame:
    """A part of a sample, in RGB."""
    image = np.asarray(Image.open(SAMPLES / name).convert("RGB"))[: SIDES[0], : SIDES[1]]
    height, width = (side - side % 8 for side in image.shape[:2])
    return np.ascontiguousarray(image[:height, :width])


def converted(planes: Planes, source: str, target: str, siting: str = "left") -> Planes:
    """Planes in another format of pixels, by libswscale."""
    size = planes[0].shape[1], planes[0].shape[0]
    colours = [RGB if Pixels.of(name).kind == "rgb" else HD for name in (source, target)]
    frame = frame_of(planes, Pixels.of(source))
    made = Converter(source, target, size, (colours[0], colours[1]), siting, "study")(frame)
    return [plane.copy() for plane in planes_of(made, Pixels.of(target))]


def split(image: Frame) -> Planes:
    return [image[..., channel] for channel in range(3)]


def ways(yuv: Planes, size: tuple[int, int], scale: int) -> Iterator[tuple[str, Planes]]:
    """Outputs in 4:2:0 by several ways to downscale 4:2:0."""

    def shrink(plane: Frame, to: tuple[int, int] = size, **options: Any) -> Frame:
        return dpid_cli.downscale(plane, size=to, **options)

    def chroma(plane: Frame, shift: bool, **options: Any) -> Frame:
        at = Fraction(0) if shift else Fraction(1, 2)
        plane = aligned(plane, 1, Fraction(scale), size[0] // 2, 2, at)
        return shrink(plane, (size[0] // 2, size[1] // 2), **options)

    luma = shrink(yuv[0])
    yield "planes, with shifted windows", [luma, *(chroma(plane, True) for plane in yuv[1:])]
    yield "planes, without the shift", [luma, *(chroma(plane, False) for plane in yuv[1:])]
    yield "luma, and chroma by box", [luma, *(chroma(plane, True, method="box") for plane in yuv[1:])]
    whole = shrink(np.stack(converted(yuv, "yuv420p", "yuv444p"), -1))
    yield "Y'CbCr 4:4:4 together", converted(split(whole), "yuv444p", "yuv420p")
    whole = shrink(np.stack(converted(yuv, "yuv420p", "gbrp"), -1))
    yield "RGB together", converted(split(whole), "gbrp", "yuv420p")
    whole = dpid_cli.downscale(np.stack(converted(yuv, "yuv420p", "gbrp"), -1), size=size, method="box")
    yield "RGB, box filter", converted(split(whole), "gbrp", "yuv420p")


def distances(planes: Planes, truth: Frame) -> tuple[float, float, float]:
    """PSNR in RGB, and the mean and the 99 % quantile of CIEDE2000, of what is shown."""
    shown = np.stack(converted(planes, "yuv420p", "gbrp"), -1)
    error = np.mean((shown.astype(float) - truth) ** 2)
    colours = deltaE_ciede2000(rgb2lab(shown), rgb2lab(truth))
    return 10 * np.log10(255**2 / error), float(colours.mean()), float(np.quantile(colours, 0.99))


def colour() -> None:
    """Compare ways to treat chroma with DPID of the original in RGB."""
    images = {"samples": [sample(name) for name in ("chelsea.png", "rocket.jpg", "hubble_deep_field.jpg")]}
    images["drawings"] = [drawing(seed) for seed in range(4)]
    for kind, several in images.items():
        for scale in (2, 4):
            rows: dict[str, list[tuple[float, float, float]]] = {}
            for image in several:
                size = image.shape[1] // scale, image.shape[0] // scale
                truth = dpid_cli.downscale(image, size=size)
                yuv = converted(split(image), "gbrp", "yuv420p")
                made = [
                    ("4:2:0 of the truth", converted(split(truth), "gbrp", "yuv420p")),
                    *ways(yuv, size, scale),
                ]
                for name, planes in made:
                    rows.setdefault(name, []).append(distances(planes, truth))
            print(f"\n{kind}, to 1/{scale}: PSNR, mean and 99 % of CIEDE2000")
            for name, values in rows.items():
                print(f"  {name:30}" + "".join(f"{value:8.2f}" for value in np.mean(values, axis=0)))


def pan(image: Frame) -> list[Frame]:
    """A view that moves over an image, with the noise of a camera."""
    random = np.random.default_rng(0)
    width = image.shape[1] - FRAMES * STEP - image.shape[1] % 8
    width -= width % 8
    views = (image[:, at * STEP : at * STEP + width].astype(float) for at in range(FRAMES))
    return [np.clip(view + random.normal(0, 2, view.shape) + 0.5, 0, 255).astype(np.uint8) for view in views]


def flicker(frames: list[Frame], reference: list[Frame]) -> float:
    """How much changes between frames differ from those of a reference, on average, in levels."""
    changes = [np.diff(np.stack(each).astype(float), axis=0) for each in (frames, reference)]
    return float(np.abs(changes[0] - changes[1]).mean())


def report_flicker() -> None:
    """Flicker of one lambda for all frames, of 1, and of a lambda for each frame."""
    zone = np.hypot(*np.meshgrid(np.arange(-320, 320), np.arange(-200, 200)))
    patterns = {
        "zone plate": np.repeat((127.5 + 120 * np.cos(zone**2 / 160))[..., None], 3, -1).astype(np.uint8)
    }
    patterns |= {name: sample(name) for name in ("page.png", "chelsea.png", "rocket.jpg")}
    for name, image in patterns.items():
        frames = pan(image)
        for scale in (2, 4):
            each = [dpid_cli.automatic(frame, scale=scale, lambda_="auto")["lambda_"] for frame in frames]
            one = sorted(each[5::5])[len(each[5::5]) // 2]
            lanczos = [dpid_cli.downscale(frame, scale=scale, method="lanczos") for frame in frames]
            runs: dict[str, list[Frame]] = {
                "box": [dpid_cli.downscale(frame, scale=scale, method="box") for frame in frames],
                f"auto, one for all ({one:g})": [
                    dpid_cli.downscale(frame, scale=scale, lambda_=one) for frame in frames
                ],
                f"auto for each ({min(each):g} to {max(each):g})": [
                    dpid_cli.downscale(frame, scale=scale, lambda_=own)
                    for frame, own in zip(frames, each, strict=True)
                ],
                "lambda 1": [dpid_cli.downscale(frame, scale=scale) for frame in frames],
            }
            print(f"\n{name}, to 1/{scale}:")
            for label, made in runs.items():
                print(f"  {label:40}{flicker(made, lanczos):8.2f}")


def cost(command: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of real time and of CPU time of a command, with its start."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report_speed() -> None:
    """Frames per second from 1080p to 540p, and CPU time a frame, beside FFmpeg's area filter."""
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/in.mp4"
        lossy = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "medium", "-crf")
        subprocess.run((*FFMPEG, "-f", "lavfi", "-i", CLIP, *lossy, "20", source), check=True)
        reading = (*FFMPEG, "-i", source)
        area = (*reading, "-vf", "scale=960:540:flags=area")
        ours = (sys.executable, "-m", "dpid_cli", "video", source, "-s", "2", "-f", "-q")
        runs = {
            "ffmpeg, decode only": (*reading, "-f", "null", "-"),
            "ffmpeg, area, no encoder": (*area, "-f", "null", "-"),
            "ffmpeg, area, x264": (*area, *lossy, "18", f"{folder}/a.mp4"),
            "dpid video -m box, x264": (*ours, f"{folder}/b.mp4", "-m", "box"),
            "dpid video, x264": (*ours, f"{folder}/c.mp4"),
            "ffmpeg, area, FFV1": (*area, "-c:v", "ffv1", f"{folder}/a.mkv"),
            "dpid video, FFV1": (*ours, f"{folder}/b.mkv", "--codec", "ffv1"),
        }
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, command in runs.items():
                costs[name].append(cost(command))
        for name, each in costs.items():
            seconds, work = (statistics.median(values) for values in zip(*each, strict=True))
            frames = SECONDS * RATE
            print(
                f"{name:26}{frames / seconds:8.1f} frames/s{1000 * work / frames:8.1f} ms of CPU time a frame"
            )


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["colour", "flicker", "speed"]
    if "colour" in wanted:
        colour()
    if "flicker" in wanted:
        report_flicker()
    if "speed" in wanted:
        report_speed()
