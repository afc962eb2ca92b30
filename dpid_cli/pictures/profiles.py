"""Colours as files say them, and the profiles made of that, with the same bytes every day."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from dpid_cli.pictures.cicp import SRGB_CORNERS, SRGB_CURVE, Cicp, Curve

GRAY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "F"})  # of Pillow
_ADOBE_CORNERS = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_CURVE = Curve(563 / 256)
_DATE = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
_CURVE_TAGS = {"rgb": (b"rTRC", b"gTRC", b"bTRC"), "gray": (b"kTRC",)}


class Colours(NamedTuple):
    """What a file says about its colours; see `Picture`."""

    profile: bytes | None = None
    cicp: Cicp | None = None
    notes: Sequence[str] = ()


def coded(code: Cicp, mode: str) -> Colours:
    """Colours by code points, in Pillow's `mode`; those of sRGB need no mark."""
    if not code.is_known:
        numbers = f"{code.primaries}/{code.transfer}"
        return Colours(notes=[f"its colours, CICP {numbers}, are none that exist: sRGB is used instead"])
    return Colours() if code.is_srgb else Colours(of_cicp(code, mode), code)


@cache
def srgb() -> bytes:
    """A profile of sRGB."""
    from PIL import ImageCms

    made: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + _DATE + made[36:]


@cache
def srgb_gray() -> bytes:
    """A profile of gray with the tone curve of sRGB."""
    tags = _tags(srgb())
    kept = {name: tags[name] for name in (b"desc", b"cprt", b"wtpt")} | {b"kTRC": tags[b"rTRC"]}
    return _profile(srgb()[:16] + b"GRAY" + srgb()[20:128], kept)


@cache
def adobe_rgb() -> bytes:
    """A profile of what Adobe RGB (1998) defines."""
    return _of_curve("rgb", _ADOBE_CORNERS, _ADOBE_CURVE, "Compatible with Adobe RGB (1998)")


def of_cicp(cicp: Cicp, mode: str) -> bytes | None:
    """A profile of code points in Pillow's `mode`; None if there can be none, as for HDR."""
    corners, curve = cicp.corners, cicp.curve
    if corners is None or curve is None:
        return None
    return _of_curve("gray" if mode in GRAY_MODES else "rgb", corners, curve, cicp.title)


def code_in(profile: bytes) -> Cicp | None:
    """The code points in a profile (ICC.1:2022, 9.2.17), if it has some."""
    try:
        code = _tags(profile).get(b"cicp", b"")
    except struct.error:
        return None
    return Cicp(code[8], code[9]) if len(code) == 12 else None


def of_gamma(gamma: float | None, corners: Sequence[float] | None, mode: str) -> bytes | None:
    """A profile of a usable gamma and usable primaries in Pillow's `mode`; None if they are those of sRGB.

    `corners` are white, red, green and blue in x and y. What is None is as in sRGB.
    """
    space = "gray" if mode in GRAY_MODES else "rgb"
    if corners is None or space == "gray":
        corners = SRGB_CORNERS
    is_usual = gamma is None or abs(gamma * 2.2 - 1) < 0.01
    if is_usual and np.allclose(corners, SRGB_CORNERS, atol=0.005):
        return None  # close enough, and often stored with sRGB
    if gamma is None:
        return _of_curve(space, tuple(corners), SRGB_CURVE, "RGB with the tone curve of sRGB")
    return _built(space, gamma, tuple(corners))


def has_curve(gamma: float) -> bool:
    """Whether a profile of this gamma would tell levels apart."""
    return 0.1 <= gamma <= 10


def has_colours(corners: Sequence[float]) -> bool:
    """Whether there can be a profile of white, red, green and blue in x and y."""
    return len(corners) == len(SRGB_CORNERS) and _built("rgb", 1.0, tuple(corners)) is not None


@lru_cache(maxsize=8)
def _of_curve(space: str, corners: tuple[float, ...], curve: Curve, title: str) -> bytes:
    base = _built(space, 1.0, corners)
    if base is None:
        raise ValueError(f"no profile has the primaries {corners}")
    numbers = [curve.gamma, curve.a, curve.b, curve.slope, curve.knee]
    kind = 3 if curve.slope else 0  # ICC.1:2022, 10.18
    numbers = numbers if curve.slope else numbers[:1]
    value = struct.pack(f">4s4xH2x{len(numbers)}i", b"para", kind, *(round(65536 * n) for n in numbers))
    text = title.encode("utf-16-be")
    described = struct.pack(">4s4x2I2s2s2I", b"mluc", 1, 12, b"en", b"US", len(text), 28) + text
    tags = _tags(base) | dict.fromkeys(_CURVE_TAGS[space], value) | {b"desc": described}
    return _profile(base[:128], tags)


@lru_cache(maxsize=8)
def _built(space: str, gamma: float, corners: tuple[float, ...]) -> bytes | None:
    """A profile of light to the power of `gamma`; corners are white, red, green and blue in x and y."""
    from imagecodecs import cms_profile

    white, *primaries = np.insert(np.reshape(corners, (4, 2)), 2, 1.0, axis=1).tolist()
    colours = {"whitepoint": white, "primaries": np.ravel(primaries).tolist()} if space == "rgb" else {}
    try:
        made: bytes = cms_profile(space, gamma=1 / gamma, **colours)
    except (RuntimeError, ValueError):
        return None
    return made[:24] + _DATE + made[36:]


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    parts = (struct.unpack_from(">4sII", profile, 132 + 12 * k) for k in range(count))
    return {name: profile[start : start + size] for name, start, size in parts}


def _profile(header: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """An ICC profile of these parts (ICC.1:2022, 7.1)."""
    start = 132 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    return struct.pack(">I", start + len(content)) + header[4:] + table + content
