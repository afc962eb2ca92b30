"""The study of poolings, as people run it, on images of a few colours."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")

import torch

STUDIES = Path(__file__).resolve().parents[2] / "docs" / "studies"


@pytest.fixture(autouse=True)
def studies(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))


def colours(count: int, label: int) -> list[np.ndarray]:
    """Images of 32x32 that are red or blue."""
    random = np.random.default_rng(label)
    images = random.integers(0, 60, (count, 32, 32, 3), np.uint8)
    images[..., 2 * label] += 180
    return list(images)


def class_folders(folder: Path) -> Path:
    for part, count in (("train", 40), ("test", 10)):
        for label, name in enumerate(("red", "blue")):
            (folder / part / name).mkdir(parents=True)
            for i, image in enumerate(colours(count, label)):
                larger = np.repeat(np.repeat(image, 2, 0), 3, 1)  # 64x96, of which the middle is taken
                Image.fromarray(larger).save(folder / part / name / f"{i}.png")
    return folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(STUDIES / "pooling.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_runs_are_made_once(folder):
    images, file = class_folders(folder / "images"), folder / "runs.jsonl"
    options = ("-j", 1, "--seeds", 1, "--network", "vgg", "--runs", file, "--pooling", "lite-sym")
    run(images, *options)
    (line,) = file.read_text().splitlines()
    result = json.loads(line)
    assert (result["network"], result["pooling"], result["seed"]) == ("vgg", "lite-sym", 0)
    assert result["error"] <= 10  # red and blue are told apart
    assert [len(layer["lambda_"]) for layer in result["learned"]] == [12, 24, 48]
    before = file.stat().st_mtime_ns
    assert "1 of 1 runs stand" in run(images, *options).stderr
    assert file.stat().st_mtime_ns == before
    assert "1 of 2 runs stand" in run(images, *options, "--pooling", "strided").stderr
    assert [json.loads(each)["pooling"] for each in file.read_text().splitlines()] == ["lite-sym", "strided"]
    assert file.read_text().splitlines()[0] == line


def test_the_same_seed_gives_the_same_result(folder):
    from labelled import load
    from training import Protocol, Run, train

    *parts, classes = load(class_folders(folder), None, None)
    assert classes == ["blue", "red"]
    protocol = Protocol(epochs=1, drops=(), images=None, images_test=None)
    results = [train(Run("nin", "s3pool", seed), protocol, tuple(parts)) for seed in (1, 1, 2)]
    losses = [result["loss"] for result in results]
    assert losses[0] == losses[1] != losses[2]


def test_all_files_give_the_same_images(folder):
    """An archive of JPEG files, and CIFAR-10's binary files; JPEG of one colour is exact to 3 levels."""
    from labelled import load

    labels = [0, 1, 0, 1]
    images = [np.full((32, 32, 3), 60 * (i + 1), np.uint8) for i in range(4)]
    arrays = {"classes": np.array(["one", "two"])}
    for part in ("train", "test"):
        files = [jpeg(image) for image in images]
        arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{part}_ends"] = np.cumsum([len(file) for file in files]).astype(np.uint32)
        arrays[f"{part}_labels"] = np.array(labels, np.uint8)
    np.savez(folder / "small.npz", **arrays)
    rows = [
        bytes([label]) + image.transpose(2, 0, 1).tobytes()
        for label, image in zip(labels, images, strict=True)
    ]
    (folder / "data_batch_1.bin").write_bytes(b"".join(rows[:2]))
    (folder / "data_batch_2.bin").write_bytes(b"".join(rows[2:]))
    (folder / "test_batch.bin").write_bytes(b"".join(rows))
    (folder / "batches.meta.txt").write_text("one\ntwo\n")
    expected = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    for path in (folder / "small.npz", folder):
        train, test, classes = load(path, None, 2)
        assert classes == ["one", "two"]
        assert train.labels.tolist() == labels and test.labels.tolist() == labels[:2]
        assert (train.images.int() - expected.int()).abs().max() <= 3


def jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def test_networks_begin_alike_and_halve_the_same_places():
    from networks import NETWORKS, POOLINGS, initialise

    for name in ("vgg", "nin", "resnet"):
        begun = {}
        for pooling in POOLINGS:
            network = NETWORKS[name](POOLINGS[pooling], 10, width=4)
            initialise(network, torch.Generator().manual_seed(0))
            assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
            begun[pooling] = [
                layer.weight.flatten()
                for layer in network.modules()
                if isinstance(layer, torch.nn.Linear)
                or (isinstance(layer, torch.nn.Conv2d) and layer.bias is None)  # others belong to poolings
            ]
        for pooling, weights in begun.items():
            assert all(torch.equal(one, two) for one, two in zip(weights, begun["max"], strict=True)), pooling


def test_crops_move_and_mirror():
    from labelled import crops

    image = torch.arange(32.0 * 32).reshape(1, 1, 32, 32).expand(64, 3, 32, 32)
    drawn = crops(image, torch.Generator().manual_seed(0))
    assert drawn.shape == image.shape
    inner = drawn[:, 0, 10, 10:12]  # always within the image
    steps = (inner[:, 1] - inner[:, 0]).tolist()
    assert set(steps) == {1.0, -1.0}
    assert len(set(inner[:, 0].tolist())) > 20
