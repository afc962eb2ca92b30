"""Everything that the library cannot do is a `DpidError` of one line that names the argument."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli import ArgumentError, DpidError, Filter, Transfer, batch, downscale, gradients, learn


class Tensor:
    """As PyTorch's, whose values NumPy cannot take."""

    def __init__(self, requires_grad: bool, error: Exception) -> None:
        self.requires_grad, self.error = requires_grad, error

    def __array__(self, *_: object, **__: object):
        raise self.error


GRAD = Tensor(True, RuntimeError("Can't call numpy() on Tensor that requires grad"))
BFLOAT16 = Tensor(False, TypeError("Got unsupported ScalarType BFloat16"))
PALETTE = Image.new("P", (8, 8))
MASKED = np.ma.masked_less(np.ones((24, 24), np.float32) - np.eye(24, dtype=np.float32), 1)
IMAGE = np.random.default_rng(0).random((24, 24)).astype(np.float32)
WRONG = [
    None, "x", b"x", "a\nb", True, 3, -1, 1.5, float("nan"), float("inf"), 10**400, 1 + 2j, object(), abs,
    range(3), [], [1], (1, 2, 3), (1, "a"), {"a": 1}, {1, 2}, [[1, 2], [3]], ["a.png"], Path("a"), GRAD,
    BFLOAT16, np.array("x"), np.array([None]), np.zeros((0, 0)), np.zeros((3, 8, 8)), np.zeros((8, 8), bool),
    np.zeros((8, 8), complex),
]  # fmt: skip
LEARN = {"scale": 2, "iterations": 1, "patches": 1, "patch": 16}


def keywords(function, *skipped: str) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in skipped]


BATCH = [
    *keywords(batch, "pairs", "options", "fit"), "depth", "linear", "transparency", "background",
    "max_pixels", "frame",
]  # fmt: skip
FIELDS = keywords(Filter, "kernel")
CALLS = {
    "image": lambda w: downscale(w, scale=2),
    "image of gradients": lambda w: gradients(w, np.ones((4, 4)), scale=2),
    "upstream": lambda w: gradients(np.zeros((8, 8)), w, scale=2),
    "images": lambda w: learn(w, **LEARN),
    "one of images": lambda w: learn([w], **LEARN),
    "targets": lambda w: learn([IMAGE], targets=w, objective="pairs", **LEARN),
    "one of targets": lambda w: learn([IMAGE], targets=[w], objective="pairs", **LEARN),
    "pairs": lambda w: list(batch(w, scale=2)),
    "pair": lambda w: list(batch([w], scale=2)),
    "input": lambda w: list(batch([(w, "x.png")], scale=2)),
    "kernel": Filter,
    "load": Filter.load,
    "save": Filter.load("photo").save,
    "transfer": lambda w: downscale(IMAGE, scale=2, linear=Transfer(w, w)),
    **{f"downscale {n}": lambda w, n=n: downscale(IMAGE, **{"scale": None if n == "size" else 2, n: w})
       for n in keywords(downscale, "image")},
    **{f"{m} {n}": lambda w, m=m, n=n: downscale(IMAGE, scale=2, method=m, **{n: w})
       for m in ("gated", "adapool", "lp", "s3dpp", "subsample") for n in dpid_cli.METHODS[m].defaults},
    **{f"gradients {n}": lambda w, n=n: gradients(IMAGE, np.ones((12, 12)), **{"scale": 2, n: w})
       for n in keywords(gradients, "image", "upstream", "size")},
    **{f"learn {n}": lambda w, n=n: learn([IMAGE], **{**LEARN, n: w})
       for n in keywords(learn, "images", "targets", "progress")},
    **{f"batch {n}": lambda w, n=n: list(
           batch([("no.png", "x.png")], **{"scale": None if n == "size" else 2, n: w}))
       for n in BATCH},
    **{f"Filter {n}": lambda w, n=n: Filter(np.ones((3, 3)), **{n: w}) for n in FIELDS},
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_any_argument(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = 0
    for wrong in WRONG:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                CALLS[call](wrong)
        except DpidError as error:
            refused += 1
            text = str(error).replace("a\nb", "")
            assert "\n" not in text and re.search(r": |\(got ", text), text
    assert refused >= 5 or call.startswith("Filter")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: downscale(GRAD, scale=2), "image: is a tensor that requires grad: give image.detach()"),
        (lambda: downscale(BFLOAT16, scale=2), "image: cannot be read as an array: .*BFloat16: give uint8"),
        (lambda: downscale("a.png", scale=2), "image: 'a.png' is a path, not pixels: read the file first"),
        (lambda: downscale(Path("a.png"), scale=2), "image: .* is a path"),
        (lambda: downscale(np.zeros((3, 480, 640)), scale=2),
         r"image: shape \(3, 480, 640\) looks channels-first: transpose it to \(480, 640, 3\)"),
        (lambda: downscale(PALETTE, scale=2), r'image: has a palette, .*: give image.convert\("RGB"\)'),
        (lambda: downscale(MASKED, scale=2), r"image: has masked values: .* by image.filled\(0\)"),
        (lambda: learn([MASKED], **LEARN), "image.*: has masked values"),
        (lambda: list(batch([("a.png", "b.png")], scale=2, fit="cover")), "fit: works only with size"),
        (lambda: downscale(IMAGE, scale=2, guidance=[[1.0]]),
         "guidance must be a name, a path or a Filter"),
        (lambda: learn(IMAGE, scale=2), r"images: is one array of shape \(24, 24\): give a list of images"),
        (lambda: batch("photos", scale=2), "pairs: 'photos' is no list: give a list of"),
        (lambda: list(batch(["a.png"], scale=2)), "pairs: 'a.png' is no pair of paths: give a list of"),
        (lambda: Filter.load(3), "source must be a path"),
        (lambda: Transfer(abs, 3), "encode must be a function"),
    ],
)  # fmt: skip
def test_what_to_do(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_masked_arrays_without_masked_values_are_arrays():
    image = np.ma.array(IMAGE)
    np.testing.assert_array_equal(downscale(image, scale=2), downscale(IMAGE, scale=2))
