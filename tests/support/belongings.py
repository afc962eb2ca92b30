"""The files of a reader that pages of the documentation name, such as ``photo.jpg``."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from support.command import SAMPLES


def lay_out() -> None:
    """Write all of them into the current folder, with samples and folders of figures as in a clone."""
    shutil.copytree(SAMPLES, "samples")
    for folder in ("photos/2024", "large", "small", "votes", "docs/figures/gallery", "docs/figures/choosing"):
        Path(folder).mkdir(parents=True)
    _photos()
    _special_images()
    _votes()


def _sample(name: str, mode: str = "RGB") -> Image.Image:
    with Image.open(SAMPLES / name) as image:
        return image.convert(mode)


def _photos() -> None:
    """Photographs without a profile, and what goes with one of them."""
    rocket, cat, stars = (_sample(name) for name in ("rocket.jpg", "chelsea.png", "hubble_deep_field.jpg"))
    for path, image in {
        "photo.jpg": rocket, "another.jpg": cat, "photo.png": rocket, "photo.tif": rocket,
        "photos/rocket.jpg": rocket,        "photos/2024/a.jpg": cat, "photos/2024/stars.jpg": stars,
    }.items():  # fmt: skip
        image.save(path)
    Path("last.txt").touch()
    os.utime("last.txt", (0, 0))
    width, height = rocket.size
    rocket.convert("L").save("mask.png")
    rocket.resize((round(width / 4), round(height / 4)), Image.Resampling.BOX).save("blurred.png")
    for name, image in (("rocket", rocket), ("cat", cat)):
        image.crop((0, 0, 300, 200)).save(f"large/{name}.png")
        image.crop((0, 0, 300, 200)).resize((150, 100), Image.Resampling.LANCZOS).save(f"small/{name}.png")


def _special_images() -> None:
    """Images with frames, pages, a palette, transparency, floats, or more channels than three."""
    cat = _sample("chelsea.png").crop((100, 20, 340, 200))
    frames = [cat.rotate(angle).quantize(64) for angle in (0, 5, 10)]
    frames[0].save("dance.gif", save_all=True, append_images=frames[1:], duration=80)
    frames[0].save("labels.png")
    pages = [_sample(name, "L") for name in ("page.png", "text.png")]
    pages[0].save("scan.tif", save_all=True, append_images=pages[1:])
    with tifffile.TiffWriter("scan_with_thumbnail.tif") as file:
        file.write(np.asarray(pages[0]), photometric="minisblack")
        file.write(np.asarray(pages[0])[::8, ::8], photometric="minisblack", subfiletype=1)
    infrared = np.dstack([np.asarray(cat), np.asarray(cat)[..., :1]])
    tifffile.imwrite("orthophoto.tif", infrared, photometric="rgb", extrasamples=["unspecified"])
    heights = np.linspace(0, 4000, 96 * 64, dtype=np.float32).reshape(64, 96)
    tifffile.imwrite("elevations.tif", heights, photometric="minisblack")
    Image.fromarray((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)).save("board.png")
    cat.putalpha(Image.radial_gradient("L").resize(cat.size))
    cat.save("logo.png")
    cat.save("texture.png")


def _votes() -> None:
    """Files of two people's votes, as pages save them."""
    facts = {"format": "dpid votes", "participant": "", "question": "preference", "image": "a.png"}
    vote = {"number": 1, "place": "A", "left": "box", "right": "dpid", "choice": "right"}
    for session, path in (("1", "votes/one.json"), ("2", "votes/two.json"), ("3", "ada.json")):
        Path(path).write_text(json.dumps(facts | {"session": session, "votes": [vote]}), encoding="utf-8")
    row = {"session": "4", **facts, **vote}
    columns = ("session", "number", "participant", "question", "image", "place", "left", "right", "choice")
    lines = [",".join(columns), ",".join(str(row[column]) for column in columns)]
    Path("ben.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
