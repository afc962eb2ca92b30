"""Colour profiles made by hand or by imagecodecs, and what LittleCMS makes of them."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageCms


def ink_profile() -> bytes:
    """A printer's profile whose cyan ink, printed alone, is red; any other ink is black."""
    red, white, black = (136, 208, 195), (255, 128, 128), (0, 128, 128)  # Lab
    corners = [black] * 16  # cyan varies slowest
    corners[0], corners[8] = white, red
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", *(65536 * int(i % 4 == 0) for i in range(9)))
    table += ramp * 4 + bytes(np.array(corners, np.uint8)) + ramp * 3
    header = struct.pack(">I4sI4s4s4s", 128 + 16 + len(table), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp").ljust(32, b"\0")
    header += struct.pack(">3i", 63190, 65536, 54061)  # D50
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


D65 = [0.3127, 0.3290, 1.0]


P3 = [0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1]


ADOBE = [0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1]


SRGB = [0.64, 0.33, 1, 0.30, 0.60, 1, 0.15, 0.06, 1]


def srgb_light(values):
    """IEC 61966-2-1."""
    values = np.asarray(values, float)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_encoded(light):
    """IEC 61966-2-1."""
    light = np.asarray(light, float)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def rgb_profile(primaries, **curve) -> bytes:
    """Channels, by a gamma or a table, through a matrix."""
    return imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=primaries, **curve)


def gray_profile(gamma: float) -> bytes:
    return imagecodecs.cms_profile("gray", gamma=gamma)


def table(curve) -> np.ndarray:
    """1024 samples, as many profiles of sRGB have, in 16 bits."""
    return np.round(65535 * curve(np.linspace(0, 1, 1024))).astype(np.uint16)


def cube_profile() -> bytes:
    """Tinted RGB by a table of its corners, between which it is Lab that is even, and not light."""
    ramp = bytes(range(256))
    corners = [
        (int(60 + 45 * r + 90 * g + 30 * b), 128 + 20 * (r - g), 128 + 8 * (r + g) - 12 * b)
        for r in (0, 1)
        for g in (0, 1)
        for b in (0, 1)
    ]
    head = b"mft1\0\0\0\0" + bytes([3, 3, 2, 0])
    head += struct.pack(">9i", *(65536 * int(i % 4 == 0) for i in range(9)))
    lut = head + ramp * 3 + bytes(np.array(corners, np.uint8)) + ramp * 3
    ink = ink_profile()
    header = struct.pack(">I", 144 + len(lut)) + ink[4:12] + b"scnrRGB Lab " + ink[24:128]
    return header + struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut


PROFILES = {
    "Display P3": rgb_profile(P3, transferfunction=table(srgb_light)),
    "Adobe RGB": rgb_profile(ADOBE, gamma=563 / 256),
    "look-up table": cube_profile(),
}


@cache
def opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def by_pillow(image: Image.Image, profile: bytes) -> np.ndarray:
    """The image as sRGB, by another road into LittleCMS."""
    srgb = ImageCms.createProfile("sRGB")
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    return np.asarray(ImageCms.profileToProfile(image, opened(profile), srgb, 1, "RGB", flags=flags))


def name_of(path: str | Path) -> str:
    """What the file's profile calls itself."""
    with Image.open(path) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    return ImageCms.getProfileDescription(profile).strip()
