"""The JavaScript engine of pages, run by Node, and what the command makes of the same requests."""

from __future__ import annotations

import base64
import json
import math
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from dpid_cli import Filter
from dpid_cli.compare.workbench import engine
from dpid_cli.convert.rendering import rendered
from dpid_cli.pictures import Picture

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

# What scripts of tests use, and how they start.
_DRIVER = """
const bytesOf = (text) => new Uint8Array(Buffer.from(text, "base64"));
const textOf = (bytes) => Buffer.from(bytes).toString("base64");
function outputOf({ image, request }) {
  const kept = Layouts.imageOf({ ...image, pixels: bytesOf(image.pixels) });
  const { pixels, found, region } = Engine.downscale(kept, request);
  return { pixels: textOf(pixels), found, region };
}
const start = async (given) => console.log(JSON.stringify(await main(given)));
"""
_ALL = "const main = (cases) => cases.map(outputOf);"


def run(given: Any, main: str = _ALL) -> Any:
    """What `main`, a function of a script that may use the engine, makes of a value."""
    script = f"globalThis.self = {{}};\n{engine()}\n{main}\n{_DRIVER}\nstart({json.dumps(given)});"
    done = subprocess.run([NODE, "-"], input=script, capture_output=True, text=True, timeout=600)
    assert done.stderr == ""
    return json.loads(done.stdout)


def image_of(pixels: np.ndarray) -> dict[str, Any]:
    """An image as the engine takes it, with its bytes in base 64."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    encoded = base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
    return {"pixels": encoded, "width": width, "height": height, "channels": channels}


def bytes_of(answer: dict[str, Any]) -> np.ndarray:
    """The pixels in an answer of the engine."""
    return np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)


def commanded(pixels: np.ndarray, request: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    """What the command makes of an image: its output, and the numbers that "auto" stood for."""
    options = {("lambda_" if name == "lambda" else name): value for name, value in request.items()}
    if isinstance(options.get("guidance"), dict):
        kernel = np.reshape(options["guidance"]["kernel"], (-1, 3, 3))
        options["guidance"] = Filter(
            kernel[0] if len(kernel) == 1 else kernel, bias=options["guidance"]["bias"]
        )
    alpha = pixels.ndim == 3 and pixels.shape[2] in (2, 4)
    output, found = rendered(Picture(pixels, alpha, None), tuple(options.pop("size")), **options)
    return output.pixels, {name.rstrip("_"): value for name, value in found.items()}


def size_for(pixels: np.ndarray, scale: float) -> list[int]:
    """Width and height of the output at a scale."""
    return [max(1, math.floor(side / scale + 0.5)) for side in pixels.shape[1::-1]]


def random_image(rng: np.random.Generator, height: int, width: int, channels: int) -> np.ndarray:
    """Noise, black and white, weak texture, a ramp, dots on one colour or blocks; transparent in places."""
    shape = height, width, channels
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 2)[..., None] // 4 + np.arange(channels)
    blocks = rng.integers(0, 8, (height // 3 + 1, width // 3 + 1, channels)) * 36
    dots = np.where(
        rng.random((height, width, 1)) < 0.1, rng.integers(0, 256, channels), rng.integers(0, 256)
    )
    kinds = (
        rng.integers(0, 256, shape),
        rng.integers(0, 2, shape) * 255,
        rng.integers(100, 140, shape),
        ramp % 256,
        np.broadcast_to(dots, shape),
        blocks.repeat(3, 0).repeat(3, 1)[:height, :width],
    )
    pixels = kinds[rng.integers(len(kinds))].astype(np.uint8)
    if channels in (2, 4):
        alphas = (255, rng.integers(0, 2, shape[:2]) * 255, rng.integers(0, 256, shape[:2]), pixels[..., -1])
        pixels[..., -1] = alphas[rng.integers(len(alphas))]
    return pixels[..., 0] if channels == 1 else pixels


def random_request(rng: np.random.Generator, pixels: np.ndarray) -> dict[str, Any]:
    """A size, a method and its parameters."""
    height, width = pixels.shape[:2]
    if rng.random() < 0.7:
        scale = rng.choice([1.03, 1.5, 2, 2.5, 3, 3.3, 4, 5, 6, 7, 8, 12, rng.uniform(1, 12)])
        size = size_for(pixels, scale)
    else:
        size = [int(rng.integers(1, width + 1)), int(rng.integers(1, height + 1))]
    method = str(rng.choice(["dpid", "dpid", "dpid", "dpp", "dpp", "box", "max", "min", "extremum"]))
    request: dict[str, Any] = {"size": size, "method": method}
    if method not in ("dpid", "dpp"):
        return request
    request["lambda"] = float(rng.choice([0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 7, 30, rng.uniform(0, 3)]))
    choices = {
        "lambda": "auto",
        "alpha": float(rng.choice([0.01, 0.1, rng.uniform(0, 2)])),
        "epsilon": float(rng.choice([0.001, 0.1, 2, rng.uniform(0.001, 0.3)])),
        "variant": "asym",
        "guidance": str(rng.choice(["box", "gaussian"])),
        "noise": "auto" if rng.random() < 0.3 else float(rng.uniform(0, 0.1)),
    }
    request |= {name: value for name, value in choices.items() if rng.random() < 0.2}
    if request.get("variant") == "asym":  # with other powers, kernels would have to be compiled
        request["lambda"] = 1.0
    if request.get("epsilon", 0) > 1:
        request["lambda"] = 12.0
    if rng.random() < 0.15:
        request["guidance"] = {"kernel": list(rng.normal(0.1, 0.3, 9)), "bias": float(rng.choice([0, 0.02]))}
    return request
