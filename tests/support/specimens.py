"""Small files of every format that is read, by encoders that are not the project's.

They are what the matrix of formats starts from, and what fuzzing starts to damage.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from dpid_cli.pictures import FORMATS
from support import measured
from support.gain_maps import OF_ADOBE, OF_APPLE, OF_ISO, two_images

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
DTYPES = {"": np.uint8, "16": np.uint16, "F": np.float32}


@dataclass(frozen=True)
class Told:
    """What a file tells beside its pixels; nothing of it if the format has no place."""

    profile: bytes | None = None
    orientation: int = 1
    dpi: int | None = None


def profile_of(mode: str) -> bytes:
    """A colour profile for pictures of this mode."""
    if mode.startswith("RGB"):
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return _gray_profile()


@cache
def _gray_profile() -> bytes:
    """A profile of gray with a gamma of 2.2, by the rules of ICC.1:2001."""
    white = struct.pack(">4s4xiii", b"XYZ ", 63190, 65536, 54061)
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(2.2 * 256))
    text = b"gray\0"
    told = struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78)
    rights = b"text" + bytes(4) + b"none\0"
    tags = {b"desc": told, b"cprt": rights, b"wtpt": white, b"kTRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIIII3i4s44x", start + len(body), b"none", 0x02100000, b"mntr", b"GRAY", b"XYZ ",
        2020, 1, 1, 0, 0, 0, b"acsp", b"none", 0, 0, 0, 0, 0, 0, 63190, 65536, 54061, b"none",
    )  # fmt: skip
    return head + table + body


def noise(mode: str, width: int = 20, height: int = 12, seed: int = 3) -> NDArray[Any]:
    """Pixels without any order: (H, W[, C]), of the depth that the mode says."""
    name, _, depth = mode.partition(";")
    shape = (height, width, CHANNELS[name])[: 2 if name == "L" else 3]
    levels = np.random.default_rng(seed).integers(0, 65536, shape, np.uint16)
    if depth == "F":
        return (levels / 65535).astype(np.float32)
    return levels if depth else (levels >> 8).astype(np.uint8)


def _exif(told: Told) -> bytes:
    tags = Image.Exif()
    if told.orientation != 1:
        tags[Base.Orientation] = told.orientation
    if told.dpi:
        tags[Base.XResolution] = tags[Base.YResolution] = float(told.dpi)
        tags[Base.ResolutionUnit] = 2
    return tags.tobytes() if len(tags) else b""


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels: NDArray[Any], told: Told) -> bytes:
    """By hand: unfiltered rows."""
    height, width = pixels.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[pixels[0, 0].size]
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour, 0, 0, 0))]
    if told.profile:
        parts.append(chunk(b"iCCP", b"icc\0\0" + zlib.compress(told.profile)))
    if told.dpi:
        parts.append(chunk(b"pHYs", struct.pack(">IIB", *[round(told.dpi / 0.0254)] * 2, 1)))
    if told.orientation != 1:
        parts.append(chunk(b"eXIf", _exif(Told(orientation=told.orientation))[6:]))
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    stored = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts += [chunk(b"IDAT", stored), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pixels: NDArray[Any], told: Told, **options: Any) -> bytes:
    """By tifffile."""
    channels = pixels[0, 0].size
    layout = options.pop("planarconfig", "contig")
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        np.moveaxis(pixels, -1, 0) if layout == "separate" else pixels,
        photometric="rgb" if channels > 2 else "minisblack",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        planarconfig=layout if channels > 1 else None,
        iccprofile=told.profile,
        resolution=(told.dpi, told.dpi) if told.dpi else None,
        resolutionunit="INCH" if told.dpi else None,
        extratags=[(274, "H", 1, told.orientation, True)],
        metadata=None,
        **options,
    )
    return stream.getvalue()


def netpbm(pixels: NDArray[Any], told: Told) -> bytes:
    """By hand: P5 or P6."""
    height, width = pixels.shape[:2]
    head = f"P{5 if pixels.ndim == 2 else 6}\n{width} {height}\n{255 if pixels.itemsize == 1 else 65535}\n"
    return head.encode() + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()


def saved(name: str, **options: Any) -> Callable[[NDArray[Any], Told], bytes]:
    """By Pillow, with what it has an option for."""

    def encode(pixels: NDArray[Any], told: Told) -> bytes:
        given = dict(options)
        if told.profile:
            given["icc_profile"] = told.profile
        if told.dpi:
            given["dpi"] = (told.dpi, told.dpi)
        if exif := _exif(told):
            given["exif"] = exif
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, name, **given)
        return stream.getvalue()

    return encode


def jpeg_2000(pixels: NDArray[Any], told: Told) -> bytes:
    """By Pillow, but for colours of 16 bits, of which it has none."""
    if pixels.itemsize == 1 or pixels.ndim == 2:
        return saved("JPEG2000")(pixels, told)
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0))


def jpeg_ls(pixels: NDArray[Any], told: Told) -> bytes:
    """By CharLS."""
    return bytes(imagecodecs.jpegls_encode(pixels))


def bmp(pixels: NDArray[Any], told: Told) -> bytes:
    """By Pillow, but without the resolution that it makes up."""
    data = saved("BMP")(pixels, told)
    return data if told.dpi else data[:38] + bytes(8) + data[46:]


def _icns(pixels: NDArray[Any], told: Told) -> bytes:
    """By hand: one icon, a PNG."""
    content = png(pixels, Told())
    kind = {16: b"icp4", 32: b"icp5", 128: b"ic07"}[len(pixels)]
    entry = struct.pack(">4sI", kind, 8 + len(content)) + content
    return struct.pack(">4sI", b"icns", 8 + len(entry)) + entry


@dataclass(frozen=True)
class Specimen:
    """How files of a format are made, with which modes, and what they can tell."""

    encode: Callable[[NDArray[Any], Told], bytes]
    modes: tuple[str, ...]
    holds: frozenset[str] = frozenset()
    lossless: bool = True
    size: tuple[int, int] = (20, 12)


_ALL = frozenset({"profile", "orientation", "dpi"})
SPECIMENS = {
    "png": Specimen(png, ("L", "LA", "RGB", "RGBA", "L;16", "LA;16", "RGB;16", "RGBA;16"), _ALL),
    "jpeg": Specimen(saved("JPEG", quality=95, subsampling=0), ("L", "RGB"), _ALL, False),
    "webp": Specimen(saved("WEBP", lossless=True), ("RGB", "RGBA"), _ALL),
    "tiff": Specimen(
        tiff,
        (
            "L", "LA", "RGB", "RGBA", "L;16", "LA;16", "RGB;16", "RGBA;16", "L;F", "LA;F", "RGB;F", "RGBA;F",
        ),
        _ALL,
    ),
    "bmp": Specimen(bmp, ("L", "RGB"), frozenset({"dpi"})),
    "ppm": Specimen(netpbm, ("RGB", "RGB;16")),
    "pgm": Specimen(netpbm, ("L", "L;16")),
    "gif": Specimen(saved("GIF"), ("RGB",), lossless=False),
    "avif": Specimen(saved("AVIF", quality=95, subsampling="4:4:4"), ("RGB", "RGBA"), _ALL, False),
    "jp2": Specimen(jpeg_2000, ("L", "LA", "RGB", "RGBA", "L;16", "LA;16", "RGB;16", "RGBA;16")),
    "tga": Specimen(saved("TGA"), ("L", "LA", "RGB", "RGBA")),
    "qoi": Specimen(saved("QOI"), ("RGB", "RGBA")),
    "ico": Specimen(saved("ICO", sizes=[(20, 12)]), ("RGBA",)),
    "icns": Specimen(_icns, ("RGBA",), size=(16, 16)),
    "heif": Specimen(saved("HEIF", quality=-1, chroma=444), ("L", "RGB", "RGBA"), _ALL - {"dpi"}, False),
    "jxl": Specimen(saved("JXL", lossless=True), ("L", "LA", "RGB", "RGBA")),
    "jls": Specimen(jpeg_ls, ("L", "RGB", "L;16", "RGB;16")),
}  # fmt: skip


def _frames(name: str, **options: Any) -> bytes:
    images = [Image.fromarray(noise("RGB", seed=seed)) for seed in range(3)]
    stream = io.BytesIO()
    images[0].save(stream, name, save_all=True, append_images=images[1:], **options)
    return stream.getvalue()


def _pillow(mode: str, name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise("RGB")).convert(mode).save(stream, name, **options)
    return stream.getvalue()


def _camera() -> bytes:
    tags = Image.Exif()
    tags[Base.Make], tags[Base.Orientation] = "Camera", 6
    tags[IFD.Exif] = {Base.ExposureTime: 0.25, Base.MakerNote: b"note" * 9}
    return tags.tobytes()


def _special(name: str) -> Iterator[bytes]:
    """Files that use more of a format than what the matrix needs."""
    rgb, gray = noise("RGB"), noise("L")
    match name:
        case "png":
            yield _pillow("P", "PNG", transparency=3)
            yield _pillow("1", "PNG")
            yield _frames("PNG", duration=40, loop=2)
            text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"text" * 9)) + chunk(b"tEXt", b"Title\0a")
            xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<a/>") + chunk(b"tRNS", b"\0\1\0\2\0\3")
            plain = png(rgb, Told())
            yield plain[:33] + text + xmp + plain[33:]
            yield measured.png(plain)
            hdr = chunk(b"cICP", b"\x09\x10\0\1") + chunk(b"mDCV", bytes(24)) + chunk(b"cLLI", bytes(8))
            for mode in "RGB", "RGB;16":
                plain = png(noise(mode), Told())
                yield plain[:33] + hdr + plain[33:]
                corners = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
                yield plain[:33] + chunk(b"gAMA", bytes(4)) + chunk(b"cHRM", corners) + plain[33:]
        case "jpeg":
            yield _pillow("RGB", "JPEG", progressive=True, exif=_camera(), comment="a remark")
            yield _pillow("CMYK", "JPEG", restart_marker_rows=1)
            yield _frames("MPO")
            for mode, bits, lossless in (("L;16", 12, False), ("RGB;16", 16, True), ("RGB", 8, True)):
                levels = noise(mode) >> (4 if bits == 12 else 0)
                yield bytes(imagecodecs.jpeg8_encode(levels, bitspersample=bits, lossless=lossless))
            yield two_images(OF_ADOBE, OF_ADOBE)
            yield two_images(OF_ISO, b"")
            yield two_images(b"", OF_APPLE)
            yield from measured.jpegs()
        case "webp":
            yield _pillow("RGB", "WEBP", quality=50)
            yield _pillow("RGBA", "WEBP", quality=50, exif=_camera())
            yield _frames("WEBP", duration=40)
        case "tiff":
            told = Told(profile=profile_of("RGB"), orientation=6, dpi=300)
            for options in (
                {"compression": "zlib", "predictor": True, "rowsperstrip": 5},
                {"compression": "zlib", "tile": (16, 16)},
                {"planarconfig": "separate", "byteorder": ">"},
                {"bigtiff": True},
            ):
                yield tiff(rgb, told, **options)
                yield tiff(noise("RGB;16"), told, **options)
            for photometric, mode in (("separated", "RGBA;16"), ("cielab", "RGB;16")):
                stream = io.BytesIO()
                tifffile.imwrite(stream, noise(mode), photometric=photometric, planarconfig="contig")
                yield stream.getvalue()
            for compression in "tiff_lzw", "jpeg", "packbits", "tiff_ccitt":
                yield _pillow("1" if "ccitt" in compression else "RGB", "TIFF", compression=compression)
            yield _pillow("P", "TIFF", exif=_camera())
            yield _frames("TIFF")
            yield from _directories()
            yield from _samples()
            yield from measured.tiffs()
        case "bmp":
            yield _pillow("P", "BMP")
            yield _pillow("1", "BMP")
            rows = b"".join(bytes([4, k, 0, 3, k, k, k, 0, 3, 7, 0, 0]) for k in range(12)) + b"\0\1"
            head = struct.pack("<IiiHHIIiiII", 40, 10, 12, 1, 8, 1, len(rows), 0, 0, 256, 0)
            start = 14 + len(head) + 1024
            yield struct.pack("<2sIII", b"BM", start + len(rows), 0, start) + head + bytes(1024) + rows
        case "ppm" | "pgm":
            plain = b" ".join(b"%d" % value for value in (rgb if name == "ppm" else gray).ravel())
            yield (b"P3" if name == "ppm" else b"P2") + b" # remark\n20 12\n255\n" + plain
            yield b"P4\n20 12\n" + gray.tobytes()[:36]
            yield b"PF\n20 12\n-1.0\n" + noise("RGB;F").tobytes()
            yield b"P7\nWIDTH 20\nHEIGHT 12\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + rgb.tobytes()
        case "gif":
            yield _frames("GIF", duration=40, loop=0, disposal=2, comment="a remark")
            yield _pillow("P", "GIF", transparency=3, interlace=1)
        case "jp2":
            yield _pillow("RGB", "JPEG2000", no_jp2=True)
            yield _pillow("RGB", "JPEG2000", tile_size=(8, 8), irreversible=True, num_resolutions=2)
        case "tga":
            yield _pillow("P", "TGA")
            yield _pillow("RGB", "TGA", compression="tga_rle", orientation=-1)
            yield _pillow("1", "TGA")
        case "ico":
            yield _pillow("RGBA", "ICO", bitmap_format="bmp", sizes=[(16, 16), (8, 8)])
            yield _pillow("P", "ICO", sizes=[(16, 16), (8, 8)])
        case "icns":
            runs = b"".join(bytes([253, k, 253, 9 * k]) for k in range(3))  # 128 pixels each
            entries = struct.pack(">4sI", b"is32", 8 + len(runs)) + runs
            entries += struct.pack(">4sI", b"s8mk", 8 + 256) + bytes(256)
            yield struct.pack(">4sI", b"icns", 8 + len(entries)) + entries
        case "heif":
            yield _pillow("RGB", "HEIF", exif=_camera())
            yield _frames("HEIF")
            for mode, bits in ("RGB", 10), ("RGBA", 12), ("L", 10):
                yield _deep_heif(mode, bits)
        case "jxl":
            yield _pillow("RGB", "JXL", exif=_camera())
            yield _pillow("RGB", "JXL", quality=50)
            yield bytes(imagecodecs.jpegxl_encode(noise("RGB;16"), lossless=True))
            yield bytes(imagecodecs.jpegxl_encode(noise("LA;F"), lossless=True))
        case "avif":
            yield _pillow("RGB", "AVIF", exif=_camera(), speed=10)
            yield _frames("AVIF", duration=40, speed=10)
            for mode, bits in ("RGB;16", 10), ("RGBA;16", 12):
                values = noise(mode) >> np.uint16(16 - bits)
                options = {"primaries": 9, "transfer": 16, "matrix": 9, "speed": 10}
                yield bytes(imagecodecs.avif_encode(values, level=90, bitspersample=bits, **options))
            frames = np.stack([noise("RGB;16") >> np.uint16(6)] * 2)
            yield bytes(imagecodecs.avif_encode(frames, level=90, bitspersample=10, speed=10))


def _deep_heif(mode: str, bits: int) -> bytes:
    import pillow_heif

    stream = io.BytesIO()
    values = noise(f"{mode};16") >> np.uint16(16 - bits)
    options = {"color_primaries": 9, "transfer_characteristics": 18, "matrix_coefficients": 9}
    pillow_heif.encode(f"{mode};{bits}", (20, 12), values.tobytes(), stream, bit_depth=bits, **options)
    return stream.getvalue()


def _directories() -> Iterator[bytes]:
    """TIFFs whose pages are not simply one after the other."""
    small, page, deep = noise("RGB", 5, 4), noise("RGB"), noise("L;16")
    one = {"subfiletype": 1}
    colour_filters = {"photometric": 32803}
    for writes in (
        [(small, one), (page, {"compression": "lzw"}), (deep, {"subfiletype": 2})],
        [(small[..., 0] > 99, {"subfiletype": 4}), (page, {})],
        [(small, one | {"subifds": 2}), (small, one), (page, {"compression": "zlib"})],
        [(deep, {"subifds": 1}), (deep[::2, ::2], one)],
        [(small, one | {"subifds": 1}), (deep, colour_filters)],
        [(small, one | {"subifds": 1}), (deep, {"tile": (16, 16)})],
    ):
        for options in {}, {"bigtiff": True, "byteorder": ">"}:
            stream = io.BytesIO()
            with tifffile.TiffWriter(stream, **options) as file:
                for pixels, layout in writes:
                    colours = {} if pixels.ndim == 2 else {"photometric": "rgb"}
                    file.write(np.ascontiguousarray(pixels), metadata=None, **colours, **layout)
            yield stream.getvalue()
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.stack([deep] * 3), imagej=True, contiguous=True)
    yield stream.getvalue()


def _samples() -> Iterator[bytes]:
    """TIFFs that Pillow does not read as they are meant."""
    colours, gray = noise("RGB"), noise("L;F") - 0.5
    nodata = {"extratags": [(42113, 2, 0, "-0.25", True)]}
    for pixels, options in (
        *((colours, {"compression": name}) for name in ("png", "jpegxl", "jpeg2000", "webp", "jpeg")),
        (gray, {"compression": "lerc", "tile": (16, 16)}),
        (noise("RGB;16"), {"compression": "jpegxl", "tile": (16, 16)}),
        (colours, {"compression": "jpeg", **nodata}),
        (gray, nodata),
        (colours, {"extratags": [(42113, 2, 0, "7", True)], "compression": "lzw"}),
        (gray, {"compression": "zlib", "predictor": True, "rowsperstrip": 5}),
        ((colours >> 1).astype(np.int8), {}),
        (noise("RGBA"), {"extrasamples": [0]}),
        (np.dstack([noise("RGBA")] * 2)[..., :5], {"extrasamples": [1, 0], "compression": "packbits"}),
        (colours >> 4, {"bitspersample": 4}),
    ):
        stream = io.BytesIO()
        colour = "rgb" if pixels.ndim == 3 else "minisblack"
        tifffile.imwrite(stream, pixels, photometric=colour, planarconfig="contig", metadata=None, **options)
        yield stream.getvalue()


def _known_to_pillow(name: str) -> bool:
    """Load the plugin of a format that Pillow does not come with."""
    plugins = {"heif": "pillow_heif", "jxl": "pillow_jxl"}
    if name not in plugins:
        return True
    try:
        plugin = import_module(plugins[name])
    except ImportError:
        return False
    if name == "heif":
        plugin.register_heif_opener()
    return True


NAMES = [name for name in SPECIMENS if name in FORMATS and _known_to_pillow(name)]


@cache
def files(name: str) -> tuple[bytes, ...]:
    """Small files of a format that have little in common."""
    specimen = SPECIMENS[name]
    told = Told(profile=profile_of("RGB"), orientation=6, dpi=300)
    plain = [specimen.encode(noise(mode, *specimen.size), Told()) for mode in specimen.modes]
    full = [specimen.encode(noise("RGB"), told)] if specimen.holds and "RGB" in specimen.modes else []
    return (*plain, *full, *_special(name))
