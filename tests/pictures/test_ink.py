"""TIFFs of 16 bits in CMYK and Lab."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from dpid_cli.errors import FileError
from dpid_cli.pictures import read
from support.high_depth import values
from support.profiles import ink_profile


def other_space(pixels: np.ndarray, photometric: str, **options) -> io.BytesIO:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric=photometric, metadata=None, **options)
    return stream


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_cmyk_of_16_bits_without_a_profile(planes):
    inks = values("RGBA", "16")
    stored = np.moveaxis(inks, -1, 0) if planes == "separate" else inks
    picture = read(other_space(stored, "separated", planarconfig=planes, compression="lzw"), "a")
    paper = 1 - inks / 65535
    assert (picture.mode, picture.icc_profile) == ("RGB;16", None)
    np.testing.assert_allclose(picture.pixels, paper[..., :3] * paper[..., 3:] * 65535, rtol=0, atol=0.51)


def test_cmyk_of_16_bits_through_its_profile():
    """Within the steps of the 8 bits in which Pillow converts."""
    inks = values("RGBA", "16") // 257 * 257
    picture = read(other_space(inks, "separated", iccprofile=ink_profile()), "a")
    assert picture.mode == "RGB;16"
    shown_profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc_profile))
    assert "sRGB" in ImageCms.getProfileDescription(shown_profile)
    image = Image.frombytes("CMYK", inks.shape[1::-1], (inks // 257).astype(np.uint8).tobytes())
    expected = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(ink_profile())),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert np.abs(picture.pixels / 257 - np.asarray(expected)).max() < 3


def test_transparent_cmyk_of_16_bits():
    inks = np.random.default_rng(2).integers(0, 65536, (20, 30, 5), np.uint16)
    picture = read(other_space(inks, "separated", planarconfig="contig", extrasamples=["unassalpha"]), "a")
    assert (picture.mode, picture.alpha) == ("RGBA;16", True)
    np.testing.assert_array_equal(picture.pixels[..., 3], inks[..., 4])


def test_lab_of_16_bits():
    """By CIE 15 and IEC 61966-2-1, relative to the white of D50."""
    random = np.random.default_rng(4)
    lab = np.stack([random.uniform(0, 100, (20, 30)), *random.uniform(-60, 60, (2, 20, 30))], axis=-1)
    lab[0, 0], lab[0, 1] = (100, 0, 0), (0, 0, 0)
    signed = np.round(lab[..., 1:] * 256).astype(np.int16).view(np.uint16)
    stored = np.concatenate([np.round(lab[..., :1] * 655.35).astype(np.uint16), signed], axis=-1)
    picture = read(other_space(stored, "cielab"), "a")
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1, 0.8249]
    primaries = [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
    light = np.clip(xyz @ np.linalg.inv(primaries).T, 0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert picture.mode == "RGB;16"
    np.testing.assert_allclose(picture.pixels / 65535, expected, rtol=0, atol=1.5e-3)


@pytest.mark.parametrize(
    ("photometric", "dtype", "options", "told"),
    [
        ("separated", "f4", {}, "inks other than CMYK of integers"),
        ("separated", "u2", {"extratags": [(332, "H", 1, 2, True)]}, "inks other than CMYK"),
        ("cielab", "f4", {}, "Lab of these samples is not supported"),
    ],
)
def test_spaces_that_are_not_read(photometric, dtype, options, told):
    pixels = np.zeros((8, 9, 4 if photometric == "separated" else 3), dtype)
    with pytest.raises(FileError, match=f"^a: {told}.*: convert it to RGB$"):
        read(other_space(pixels, photometric, planarconfig="contig", **options), "a")
