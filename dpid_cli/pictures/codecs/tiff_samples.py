"""The pixels of TIFFs that Pillow would reduce or misread, by tifffile; Pillow reads their metadata.

What a header claims is compared with what the file holds before memory is allocated.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from dpid_cli.pictures import icc
from dpid_cli.pictures.codecs import tiff_compression, tiff_layout
from dpid_cli.pictures.codecs.images import HighDepthImage, Samples, stretched
from dpid_cli.pictures.codecs.tiff_layout import INK, INVERTED, LAB
from dpid_cli.pictures.limits import Limits, RefusedError

_FULL = {"uint8": 255, "uint16": 65535, "float32": 1}
_UNKNOWN_TO_PILLOW = b"MM\0+"  # big-endian BigTIFF
_ASCII, _SHORT, _RATIONAL = 2, 3, 5  # types of tags
_XMP = 700
_NOT_READ = {34665, 34853, 33550, 33922, 34264, 34735}  # EXIF, GPS, and tags of GeoTIFF
# Kinds of microscopes and scanners, for which tifffile would look further.
_PLAIN: Mapping[str, Any] = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}
# What programs write instead of numbers that they do not have.
_USUAL_MARKS = (-9999.0, -99999.0, -32768.0, float(np.finfo(np.float32).min))


def opened(stream: IO[bytes], limits: Limits) -> HighDepthImage | None:
    """The first page if Pillow would reduce or misread it; None for others."""
    from tifffile import TiffFile

    stream.seek(0)
    tags: tiff_layout.Tags | None = None
    if stream.read(4) != _UNKNOWN_TO_PILLOW:
        stream.seek(0)
        tags = tiff_layout.Tags(stream)
        tags.check(stream.seek(0, os.SEEK_END))
        if not tags.is_read_here(limits.truncated):
            return None
    stream.seek(0)
    with np.errstate(all="ignore"):  # it compares the values of damaged tags
        page: Any = TiffFile(stream, name="TIFF", **_PLAIN).pages[0]
    header = tags or _header(page)

    def samples() -> Samples:
        decoded = _decoded(page, stream, limits.truncated)
        if tags is None and _NOT_READ & {tag.code for tag in page.tags}:
            note = "EXIF, GPS data and georeference of big-endian BigTIFF are not read: dropped"
            decoded = decoded._replace(notes=[*decoded.notes, note])
        return _in_srgb(decoded, page, header) if page.photometric in (INK, LAB) else decoded

    return HighDepthImage(tiff_layout.size_of(page), header, samples)


def _header(page: Any) -> Image.Image:
    """What Pillow would read of a page without its pixels."""
    header, exif = Image.new("L", (1, 1)), Image.Exif()
    for tag in page.tags:
        if tag.dtype in (_ASCII, _SHORT):
            exif[tag.code] = tag.value
        elif tag.dtype == _RATIONAL and tag.count == 1:
            exif[tag.code] = IFDRational(*tag.value)
    packet = page.tags.valueof(_XMP)
    stored = {"exif": exif.tobytes(), "icc_profile": page.iccprofile, "xmp": packet}
    header.info.update({key: value for key, value in stored.items() if value})
    return header


def _in_srgb(samples: Samples, page: Any, header: Image.Image) -> Samples:
    """CMYK or Lab in sRGB, with the profile that fits in the header."""
    count, profile = tiff_layout.COLOURS[page.photometric], header.info.pop("icc_profile", None)
    values, alpha = samples.values[..., :count], samples.values[..., count:]
    if page.photometric == LAB:
        colours, profile = icc.deep_lab_to_srgb(values)
    elif values.dtype == np.uint8:
        image, profile = icc.ink_to_srgb(Image.fromarray(np.ascontiguousarray(values), "CMYK"), profile)
        colours = np.asarray(image)
    else:
        colours, profile = icc.deep_ink_to_srgb(values, profile)
    if profile:
        header.info["icc_profile"] = profile
    return samples._replace(values=np.concatenate([colours, alpha], axis=-1) if samples.alpha else colours)


def _decoded(page: Any, stream: IO[bytes], truncated: bool) -> Samples:
    """The pixels of a page; a `RefusedError` for what is no image, other errors for damage."""
    tiff_layout.check(page)
    channels = tiff_layout.channels_of(page)
    if not truncated:
        _check_length(page)
    values = _segments(page, stream, channels.kept, truncated)
    notes = [channels.note] if channels.note else []
    if not channels.alpha:  # which would tell where there are none
        notes += _notes_on_gaps(values, page)
    if page.photometric == INVERTED:
        _invert(values, page.bitspersample)
    if values.dtype == np.float64:
        notes.append("64-bit floats are read as 32-bit floats")
    values = _in_range(values, page.bitspersample)
    if channels.alpha == tiff_layout.ASSOCIATED:
        values = _straight(values)
    return Samples(values if len(channels.kept) > 1 else values[..., 0], bool(channels.alpha), notes)


def _notes_on_gaps(colours: NDArray[Any], page: Any) -> list[str]:
    """What to say of pixels without data, or a `RefusedError` if means of them are far from any truth.

    Black and white are also what integers without a sign have as borders, and as colours.
    """
    mark = tiff_layout.missing_data(page)
    if np.isnan(mark):
        least = float(colours.min()) if colours.dtype.kind == "f" else 0.0
        is_usual = least in _USUAL_MARKS
        return [f"its smallest value, {least:.9g}, often marks missing data: averaged"] * is_usual
    with np.errstate(over="ignore"):
        gaps = colours == (colours.dtype.type(mark) if colours.dtype.kind == "f" else mark)
    if not gaps.any():
        return []
    what = f"it has pixels without data (GDAL_NODATA {mark:.9g})"
    if colours.dtype.kind not in "bu":
        raise RefusedError(f"{what}, which would be averaged with the others: fill them first")
    return [f"{what}: averaged with the others"]


def _check_length(page: Any) -> None:
    """Raise a `ValueError` if the file has fewer bytes than its header needs."""
    tiled = page.tilewidth > 0
    across = -(-page.imagewidth // page.tilewidth) if tiled else 1
    down = -(-page.imagelength // (page.tilelength if tiled else page.rowsperstrip))
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    stored, claimed = page.databytecounts, page.imagewidth * page.imagelength * page.samplesperpixel
    if len(stored) < across * down * planes:
        raise ValueError("parts of the image are missing")
    if claimed * page.bitspersample // 8 > sum(stored) * tiff_compression.EXPANSION[page.compression]:
        raise ValueError(f"{sum(stored)} bytes cannot hold the pixels that the header claims")


def _segments(page: Any, stream: IO[bytes], channels: list[int], truncated: bool) -> NDArray[Any]:
    """These channels of all strips or tiles; blank where they cannot be decoded, if `truncated`."""
    height, width = page.imagelength, page.imagewidth
    result = np.zeros((height, width, len(channels)), np.float32 if page.dtype == np.float16 else page.dtype)
    planar = page.planarconfig == 2 and page.samplesperpixel > 1
    for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
        try:
            stream.seek(offset)
            data = stream.read(count)
            if len(data) < count and not truncated:
                raise ValueError("image file is truncated")
            part, (plane, _, top, left, _) = tiff_compression.decoded(page, data, index)
            if part is None:
                raise ValueError("parts of the image are missing")
        except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError):
            if not truncated:
                raise
            continue
        if part.dtype.kind != result.dtype.kind or part.itemsize > result.itemsize:
            raise ValueError(f"it holds {part.dtype} instead of {result.dtype}")
        part = part[0, : height - top, : width - left]
        rows, columns = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        if not planar:
            result[rows, columns] = part[..., channels]
        elif plane in channels:
            result[rows, columns, channels.index(plane)] = part[..., 0]
    return result


def _invert(values: NDArray[Any], bits: int) -> None:
    """Turn gray whose least value is white into the usual gray, in place."""
    gray = values[..., 0]
    if values.dtype == bool:
        np.logical_not(gray, out=gray)
        return
    with np.errstate(invalid="ignore"):  # NaN is refused later
        np.subtract(1 if values.dtype.kind == "f" else values.dtype.type(2**bits - 1), gray, out=gray)


def _in_range(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stored values as uint8 if they have 8 bits or fewer, else as uint16 or float32."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity is refused later
            return values.astype(np.float32, copy=False)
    if values.dtype.kind in "bu" and bits < 8:
        levels: NDArray[Any] = (values * (255 / (2**bits - 1)) + 0.5).astype(np.uint8)
        return levels
    if values.dtype.kind == "u" and bits < 16:
        return values if values.dtype == np.uint8 else stretched(values, 2**bits - 1)
    dtype, most = (np.uint8, 8) if bits <= 8 else (np.uint16, 16)
    if values.dtype != dtype and (values.min() < 0 or values.max() > 2**most - 1):
        kinds = "unsigned integers" if most == 8 else "16 bits"
        raise RefusedError(f"it has integers outside 0 to {2**most - 1}: convert it to {kinds} or floats")
    return values.astype(dtype, copy=False)


def _straight(values: NDArray[Any]) -> NDArray[Any]:
    """Colours divided by their associated alpha."""
    full = _FULL[values.dtype.name]
    for row in values:
        colours, alpha = row[..., :-1], row[..., -1:].astype(np.float64)
        shown = np.divide(colours * float(full), alpha, out=np.zeros(colours.shape), where=alpha > 0)
        row[..., :-1] = np.minimum(shown + 0.5, full) if values.dtype.kind == "u" else shown
    return values


def encode(pixels: NDArray[Any]) -> bytes:
    """A TIFF without metadata; the last of two or four channels is straight alpha."""
    from tifffile import imwrite

    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    file = io.BytesIO()
    imwrite(
        file,
        pixels,
        byteorder="<",
        bigtiff=False,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="adobe_deflate",
        predictor=True,
        metadata=None,
        software=False,
        maxworkers=1,
    )
    return file.getvalue()
