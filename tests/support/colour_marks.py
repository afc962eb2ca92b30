"""Files whose colours are marked in every way, and what these colours are, by closed forms."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from support.profiles import ADOBE, D65, P3, SRGB, srgb_encoded, srgb_light
from support.specimens import chunk

REC2020 = [0.708, 0.292, 1, 0.170, 0.797, 1, 0.131, 0.046, 1]
PQ, HLG = 16, 18


def rec2020_light(values: Any) -> NDArray[Any]:
    """ITU-R BT.2020, Table 4, backwards."""
    values = np.asarray(values, float)
    alpha, beta = 1.09929682680944, 0.018053968510807
    return np.where(values < 4.5 * beta, values / 4.5, ((values + alpha - 1) / alpha) ** (1 / 0.45))


def pq_light(values: Any) -> NDArray[Any]:
    """ITU-R BT.2100, Table 4: the light of the display, 1 for 10000 cd/m2."""
    root = np.asarray(values, float) ** (1 / 78.84375)
    return (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)


def hlg_light(values: Any) -> NDArray[Any]:
    """ITU-R BT.2100, Table 5: the light of the scene."""
    values = np.asarray(values, float)
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)


@dataclass(frozen=True)
class Space:
    """Primaries and a curve, with white D65; and their code points (ITU-T H.273), if there are some."""

    primaries: list[float]
    light: Callable[[Any], NDArray[Any]]
    code: tuple[int, int] | None = None

    def in_srgb(self, colours: Any) -> NDArray[Any]:
        """Colours from 0 to 255 as those of sRGB, rounded."""
        linear = np.linalg.inv(_to_xyz(SRGB)) @ _to_xyz(self.primaries)
        light = self.light(np.asarray(colours) / 255) @ linear.T
        return np.round(255 * srgb_encoded(np.clip(light, 0, 1)))

    @property
    def profile(self) -> bytes:
        """A profile by LittleCMS, with a curve of 4096 samples."""
        curve = np.round(65535 * self.light(np.linspace(0, 1, 4096))).astype(np.uint16)
        return imagecodecs.cms_profile(
            "rgb", whitepoint=D65, primaries=self.primaries, transferfunction=curve
        )


def _to_xyz(primaries: list[float]) -> NDArray[Any]:
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in np.reshape(primaries, (3, 3))[:, :2]]).T
    x, y, _ = D65
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])


SPACES = {
    "sRGB": Space(SRGB, srgb_light, (1, 13)),
    "Adobe RGB": Space(ADOBE, lambda values: np.asarray(values, float) ** (563 / 256)),
    "Display P3": Space(P3, srgb_light, (12, 13)),
    "Rec. 2020": Space(REC2020, rec2020_light, (9, 14)),
    "gamma 1.8": Space(SRGB, lambda values: np.asarray(values, float) ** 1.8),
    "PQ": Space(REC2020, pq_light, (9, PQ)),
    "HLG": Space(REC2020, hlg_light, (9, HLG)),
}


def png_with(pixels: NDArray[Any], *chunks: bytes, **options: Any) -> bytes:
    """A PNG with these chunks behind its header."""
    stream = io.BytesIO()
    if pixels.itemsize == 1:
        Image.fromarray(pixels).save(stream, "PNG", **options)
        data = stream.getvalue()
    else:
        data = bytes(imagecodecs.png_encode(pixels))
    return data[:33] + b"".join(chunks) + data[33:]


def cicp_chunk(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    """The code points of a PNG."""
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full_range]))


def avif(pixels: NDArray[Any], code: tuple[int, int], bits: int = 8) -> bytes:
    """Lossless but for the matrix of BT.601, by libavif."""
    values = pixels if bits == 8 else (pixels.astype(float) * ((2**bits - 1) / 65535) + 0.5).astype(np.uint16)
    return bytes(
        imagecodecs.avif_encode(
            values, bitspersample=bits, primaries=code[0], transfer=code[1], matrix=6, speed=9
        )
    )


def heif(pixels: NDArray[Any], code: tuple[int, int], bits: int = 8, **options: Any) -> bytes:
    """By libheif."""
    import pillow_heif

    stream = io.BytesIO()
    depth = "" if bits == 8 else f";{bits}"
    values = pixels if bits == 8 else (pixels.astype(float) * ((2**bits - 1) / 65535) + 0.5).astype(np.uint16)
    channels = {2: "L", 3: ("RGB", "RGBA")[pixels.shape[-1] == 4]}[pixels.ndim]
    given = {"matrix_coefficients": 6, "full_range_flag": 1, "chroma": 444, "quality": -1} | options
    pillow_heif.encode(
        channels + depth,
        (pixels.shape[1], pixels.shape[0]),
        values.tobytes(),
        stream,
        bit_depth=bits,
        color_primaries=code[0],
        transfer_characteristics=code[1],
        **given,
    )
    return stream.getvalue()


def dcf_exif(space: int, index: str = "") -> bytes:
    """EXIF with ColorSpace and InteroperabilityIndex, by hand."""
    head = b"Exif\0\0II*\0" + struct.pack("<L", 8)
    first = struct.pack("<HHHLLL", 1, 34665, 4, 1, 26, 0)
    entries = [struct.pack("<HHLHH", 40961, 3, 1, space, 0)]
    if index:
        entries.append(struct.pack("<HHLL", 40965, 4, 1, 26 + 6 + 24))
    second = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    third = struct.pack("<HHHL4sL", 1, 1, 2, 4, index.encode() + b"\0", 0) if index else b""
    return head + first + second + third


def code_in(data: bytes) -> tuple[int, int] | None:
    """The code points that a file holds: those of a PNG, or of the only image in boxes."""
    place = data.find(b"cICP")
    if data[:4] == b"\x89PNG":
        return tuple(data[place + 4 : place + 6]) if place > 0 else None
    place = data.find(b"colrnclx")
    return struct.unpack_from(">2H", data, place + 8) if place > 0 else None


def first_pixel(data: bytes) -> NDArray[Any]:
    """RGB of the first pixel from 0 to 255, with fractions if the file has more than 8 bits."""
    if data[4:12] == b"ftypavif":
        values = np.asarray(imagecodecs.avif_decode(data))
        bits = 8 if values.itemsize == 1 else 12 if data[data.find(b"pixi") + 9] == 12 else 10
    elif data[4:8] == b"ftyp":
        import pillow_heif

        file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
        values, bits = np.asarray(file), file.info["bit_depth"]
    elif data[:4] == b"\x89PNG":
        values = np.asarray(imagecodecs.png_decode(data))
        bits = 8 * values.itemsize
    elif data[:2] == b"II":
        values = tifffile.imread(io.BytesIO(data))
        bits = 8 * values.itemsize
    else:
        values, bits = np.asarray(Image.open(io.BytesIO(data))), 8
    return values[0, 0] * (255 / (2**bits - 1)) * np.ones(3)


def profile_in(data: bytes) -> bytes | None:
    """The profile that a file holds, by tifffile or Pillow."""
    if data[:2] == b"II":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tag = file.pages[0].tags.get(34675)
            return tag.value if tag else None
    with Image.open(io.BytesIO(data)) as image:
        return image.info.get("icc_profile")


def shown(profile: bytes | None, colour: Any) -> NDArray[Any]:
    """A colour from 0 to 255 as sRGB, by LittleCMS through a profile, if there is one."""
    levels = np.round(colour).astype(np.uint8)
    if profile is None:
        return levels.astype(float)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    is_gray = source.profile.xcolor_space.strip() == "GRAY"
    image = Image.fromarray(levels[None, None, 0] if is_gray else levels[None, None])
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, 1, "RGB", flags=flags)
    return np.array(converted)[0, 0].astype(float)


def seen(path: str) -> NDArray[Any]:
    """The first pixel of a file as sRGB."""
    data = Path(path).read_bytes()
    return shown(profile_in(data), first_pixel(data))
