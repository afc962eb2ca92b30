"""Recipes of docs/integrations.md: their blocks run here with the libraries, and give what they promise."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support.belongings import lay_out
from support.pages import PAGES, to_run

BLOCKS = [block for block in to_run(PAGES["docs/integrations.md"]) if block.language == "python"]


def ran(module: str) -> dict[str, object]:
    """The names that the block about a library defines."""
    (block,) = (block for block in BLOCKS if re.search(rf"^(import|from) {module}\b", block.content, re.M))
    names: dict[str, object] = {}
    exec(block.content, names)
    return names


@pytest.fixture(autouse=True)
def own_folder(folder):
    lay_out()


def pixels_of(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_opencv():
    pytest.importorskip("cv2")
    ran("cv2")
    small, expected = pixels_of("small.png"), dpid_cli.downscale(pixels_of("photo.jpg"), scale=4)
    # Two decoders of JPEG round differently; channels in another order would differ much more.
    assert np.abs(small.astype(int) - expected).max() <= 3


def test_scikit_image():
    pytest.importorskip("skimage")
    small = ran("skimage")["small"]
    np.testing.assert_array_equal(small, dpid_cli.downscale(pixels_of("photo.png"), scale=4))


def test_albumentations():
    pytest.importorskip("torch")
    albumentations = pytest.importorskip("albumentations")
    transform = ran("albumentations")["DpidDownscale"](4)
    boxes = albumentations.BboxParams(coord_format="pascal_voc", label_fields=["labels"])
    points = albumentations.KeypointParams(coord_format="xy")
    compose = albumentations.Compose(
        [albumentations.HorizontalFlip(p=1), transform],
        bbox_params=boxes,
        keypoint_params=points,
        telemetry=False,
    )
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    mask = image[..., 0] // 128
    result = compose(image=image, mask=mask, bboxes=[[8, 16, 40, 64]], labels=[1], keypoints=[[40, 32]])
    turned = np.ascontiguousarray(image[:, ::-1])
    np.testing.assert_array_equal(result["image"], dpid_cli.downscale(turned, scale=4))
    np.testing.assert_array_equal(result["mask"], mask[:, ::-1][2::4, 2::4])
    np.testing.assert_allclose(result["bboxes"], [[22, 4, 30, 16]])
    np.testing.assert_allclose(result["keypoints"], [[(127 - 40) / 4, 8]], atol=0.3)


def test_kornia():
    torch = pytest.importorskip("torch")
    pytest.importorskip("kornia")
    names = ran("kornia")
    assert names["small"].shape == (2, 3, 16, 12)
    images = torch.rand(2, 3, 64, 48, requires_grad=True)
    names["augment"](images).sum().backward()
    assert images.grad.abs().sum() > 0


def test_napari():
    """A star stays where it was in the world, by napari's formula; the package brings a plugin of pytest."""
    (block,) = (block for block in BLOCKS if "def downscaled(layer" in block.content)
    names: dict[str, object] = {}
    exec(block.content, names)
    stars = np.zeros((64, 96), np.float32)
    stars[24:28, 40:44] = 1
    facts = {"name": "stars", "scale": np.array([0.5, 2]), "translate": np.array([10, 20])}
    layer = SimpleNamespace(data=stars, contrast_limits=[0, 1], rgb=False, **facts)
    data, changed, kind = names["downscaled"](layer, scale=4)
    assert kind == "image" and data.shape == (16, 24) and data[6, 10] == 1
    before = facts["translate"] + facts["scale"] * (25.5, 41.5)  # the middle of the star
    np.testing.assert_allclose(changed["translate"] + changed["scale"] * (6, 10), before)
