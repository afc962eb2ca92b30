"""Fit the filters that come with the package: `python docs/fit_filters.py [NAME...]`; takes minutes.

Writes dpid_cli/downscaling/data/NAME.json, and prints the tables of docs/learning.md: losses on parts of
images that no filter was fitted on, and for `photo` on other images. The same versions of NumPy, SciPy and
scikit-image give the same files.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

import dpid_cli
from dpid_cli.downscaling.filters import BOX, GAUSSIAN, Filter
from dpid_cli.learning.fit import Fit
from dpid_cli.learning.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
OPTIONS: dict[str, Any] = {"crops": 6, "held_out": 0.3, "seed": 1, "starts": 2}


@dataclass(frozen=True)
class Training:
    """What to fit a filter on: samples and images of scikit-image, each cut into parts (rows, columns)."""

    scale: int
    samples: tuple[str, ...]
    others: tuple[str, ...] = ()
    parts: tuple[int, int] = (1, 1)

    def images(self) -> dict[str, np.ndarray]:
        whole = {name: np.asarray(Image.open(ROOT / "samples" / name)) for name in self.samples}
        whole |= {f"skimage.data.{name}": getattr(skimage.data, name)() for name in self.others}
        if self.parts == (1, 1):
            return whole
        cut = {}
        for name, image in whole.items():
            height, width = image.shape[0] // self.parts[0], image.shape[1] // self.parts[1]
            for row, column in product(range(self.parts[0]), range(self.parts[1])):
                part = image[row * height : (row + 1) * height, column * width : (column + 1) * width]
                cut[f"{name}, part {row + 1}.{column + 1}"] = part
        return cut


TRAINING = {
    "photo": Training(
        4,
        ("camera.png", "chelsea.png", "rocket.jpg"),
        ("astronaut", "coffee", "brick", "grass", "gravel"),
        (1, 2),
    ),
    "text": Training(2, ("page.png", "text.png"), (), (2, 3)),
    "stars": Training(4, ("hubble_deep_field.jpg",), (), (3, 4)),
}
SCALES = (2, 4, 8)
OTHERS = ("coins", "moon", "clock", "cell")
# What the table compares the filter with, on the same held-out crops.
PLAIN: dict[str, tuple[str, Filter, dict[str, float]]] = {
    "box": ("dpid", BOX, {"lambda_": 0.0}),
    "dpid": ("dpid", GAUSSIAN, {"lambda_": 1.0}),
    "dpp": ("dpp", BOX, {"lambda_": 1.0, "epsilon": 1e-3**0.5}),
}


def losses(images: list[np.ndarray], scale: int, fitted: Filter, **options: Any) -> str:
    """Losses of the plain methods and the filter, on the images that a fit with these options holds out.

    A single image is not held out, but measured itself.
    """
    plan = Plan(scale, method="dpid", **options)
    plain = {"alpha": 0.0, "epsilon": 0.0, "variant": "sym", "normalize": "none"}
    names, alone = [str(i) for i in range(len(images))], [(image, None) for image in images]
    values = []
    for method, filter_, parameters in PLAIN.values():
        fit = Fit(replace(plan, method=method), replace(filter_, **plain | parameters), names, alone)
        values.append(fit.loss(fit.start, fit.testing or fit.training))
    fit = Fit(plan, fitted, names, alone)
    values.append(fit.loss(fitted, fit.testing or fit.training))
    return " | ".join(f"{value:.4f}" for value in values)


def main() -> None:
    """Fit the filters named on the command line, or all."""
    names = sys.argv[1:] or list(TRAINING)
    rule = "|---|---|---|---|---|---|"
    print("| filter | scale | " + " | ".join([*PLAIN, "learned"]) + f" |\n{rule}", flush=True)
    for name in names:
        training, images = TRAINING[name], TRAINING[name].images()
        arrays = list(images.values())
        fitted = dpid_cli.learn(arrays, scale=training.scale, names=list(images), **OPTIONS)
        fitted.save(ROOT / "dpid_cli" / "downscaling" / "data" / f"{name}.json", overwrite=True)
        for scale in SCALES:
            print(f"| `{name}` | {scale} | {losses(arrays, scale, fitted, **OPTIONS)} |", flush=True)
    print("\n| image | scale | " + " | ".join([*PLAIN, "`photo`"]) + f" |\n{rule}")
    for name in OTHERS:
        image = getattr(skimage.data, name)()
        print(f"| `{name}` | 4 | {losses([image], 4, Filter.load('photo'))} |")


if __name__ == "__main__":
    main()
