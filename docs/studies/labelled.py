"""Small labelled images: CIFAR-10's own files, an archive of JPEG files, or a folder of class folders."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import dpid_cli

SIDE = 32
BORDER = 4  # pixels of zeros, within which training crops move
PARTS = ("train", "test")


@dataclass(frozen=True)
class Labelled:
    """Images and their classes.

    Attributes
    ----------
    images : (N, 3, 32, 32) uint8 tensor
    labels : (N,) int64 tensor
    """

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: Iterable[NDArray[np.uint8]], labels: Iterable[int]) -> Labelled:
        stack = torch.from_numpy(np.stack(list(images))).permute(0, 3, 1, 2).contiguous()
        return cls(stack, torch.tensor([int(label) for label in labels]))

    def some(self, count: int | None) -> Labelled:
        """The first images of each class, `count` in all, in their order."""
        if count is None or count >= len(self.labels):
            return self
        share = -(-count // int(self.labels.max() + 1))
        classes = torch.nn.functional.one_hot(self.labels)
        rank = classes.cumsum(0)[torch.arange(len(self.labels)), self.labels]
        chosen = (rank <= share).nonzero().squeeze(1)[:count]
        return Labelled(self.images[chosen], self.labels[chosen])


def load(path: Path, count: int | None, count_test: int | None) -> tuple[Labelled, Labelled, list[str]]:
    """Read images for training and for testing, and the names of the classes.

    Parameters
    ----------
    path : Path
        An archive `.npz` with JPEG files (`train_jpeg`, `train_ends`, `train_labels`, the same for `test`,
        and `classes`); the folder of CIFAR-10's binary files; or a folder with `train` and `test`, each with
        a folder for each class, whose images are cut to squares and downscaled to 32x32.
    count, count_test : int, optional
        How many images to take of each part; all by default.
    """
    if path.suffix == ".npz":
        train, test, classes = _archive(path, count, count_test)
    elif (path / "data_batch_1.bin").exists():
        train, test, classes = _binary(path)
    else:
        train, test, classes = _folders(path)
    return train.some(count), test.some(count_test), classes


def _archive(path: Path, *counts: int | None) -> tuple[Labelled, Labelled, list[str]]:
    with np.load(path) as archive:
        parts = []
        for part, count in zip(PARTS, counts, strict=True):
            data, ends, labels = (archive[f"{part}_{name}"] for name in ("jpeg", "ends", "labels"))
            last = len(ends) if count is None else min(len(ends), 2 * count)  # enough of each class
            starts = np.concatenate(([0], ends[:-1]))
            files = (data[start:end].tobytes() for start, end in zip(starts[:last], ends[:last], strict=True))
            parts.append(
                Labelled.of((np.asarray(Image.open(io.BytesIO(file))) for file in files), labels[:last])
            )
        return parts[0], parts[1], [str(name) for name in archive["classes"]]


def _binary(folder: Path) -> tuple[Labelled, Labelled, list[str]]:
    parts = []
    for pattern in ("data_batch_*.bin", "test_batch.bin"):
        files = [np.fromfile(file, np.uint8) for file in sorted(folder.glob(pattern))]
        rows = np.concatenate(files).reshape(-1, 1 + 3 * SIDE * SIDE)
        images = torch.from_numpy(rows[:, 1:].reshape(-1, 3, SIDE, SIDE).copy())
        parts.append(Labelled(images, torch.from_numpy(rows[:, 0].astype(np.int64))))
    names = (folder / "batches.meta.txt").read_text(encoding="utf-8").split()
    return parts[0], parts[1], names


def _folders(folder: Path) -> tuple[Labelled, Labelled, list[str]]:
    classes = sorted(entry.name for entry in (folder / "train").iterdir() if entry.is_dir())
    parts = []
    for part in PARTS:
        files = [(file, label) for label, name in enumerate(classes) for file in _files(folder / part / name)]
        order = np.random.default_rng(0).permutation(len(files))
        images = (_square(files[i][0]) for i in order)
        parts.append(Labelled.of(images, [files[i][1] for i in order]))
    return parts[0], parts[1], classes


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file())


def _square(file: Path) -> NDArray[np.uint8]:
    """The middle of an image, as large as it can be."""
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("RGB"))
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    square = pixels[top : top + side, left : left + side]
    small: NDArray[np.uint8] = dpid_cli.downscale(square, size=(SIDE, SIDE), method="box")
    return small


def normalised(images: Tensor, like: Tensor) -> Tensor:
    """Floats with mean 0 and deviation 1 in each channel of the images in `like`."""
    reference = like.float()
    mean = reference.mean((0, 2, 3), keepdim=True)
    return (images.float() - mean) / reference.std((0, 2, 3), keepdim=True)


def crops(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random crop of each image with its border, half of them flipped."""
    padded = torch.nn.functional.pad(images, [BORDER] * 4)
    count, side = len(images), torch.arange(SIDE)
    top, left = torch.randint(0, 2 * BORDER + 1, (2, count), generator=generator)
    flipped = torch.rand(count, generator=generator) < 0.5
    across = torch.where(flipped[:, None], side.flip(0), side)
    rows = (top[:, None] + side)[:, None, :, None]
    columns = (left[:, None] + across)[:, None, None, :]
    return padded[
        torch.arange(count)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns
    ]
