"""Files and streams to pictures and back: the only place that knows codecs.

A `Picture` is what a file shows and tells: upright pixels, their colour profile, whether the last channel is
alpha, and metadata. Everything that a codec stores differently (palettes, 1-bit, CMYK, EXIF orientation) is
resolved while reading, so that nothing behind this module needs to know of it.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dpid_cli.arrow import one_block, shared
from dpid_cli.containers import with_directories, without_remarks
from dpid_cli.errors import ArgumentError, DpidWarning, FileError
from dpid_cli.metadata import Metadata, save_options, take

MAX_PIXELS = 512_000_000
_COPIED_ROWS = 64


@dataclass(frozen=True)
class Format:
    """What a file format can hold, and how Pillow writes it.

    `modes` are the Pillow modes that it keeps; `options` what Pillow's ``save`` is told unless something
    else is asked for; `metadata` the fields of `Metadata` that it holds; `max_side` the largest width and
    height.
    """

    name: str
    pillow: str
    extensions: tuple[str, ...]
    modes: frozenset[str]
    profile: bool
    options: dict[str, Any]
    metadata: frozenset[str] = frozenset()
    max_side: int = 2**31 - 1

    def tuned(self, encoding: Mapping[str, int]) -> Format:
        """The same with other values of its options, or an `ArgumentError` if it has no such option."""
        for option in encoding.keys() - self.options.keys():
            able = " or ".join(f.name.upper() for f in _FORMATS if option in f.options)
            raise ArgumentError(
                f"{option.replace('_', '-')}: {self.name.upper()} has no such option: "
                f"leave it out, or write {able}"
            )
        return replace(self, options={**self.options, **encoding})


_COLOUR = frozenset({"L", "RGB"})
_ALPHA = frozenset({"LA", "RGBA"})
_DEEP = frozenset({"I;16"})
_TAGS = frozenset({"exif", "xmp"})
_DPI = frozenset({"dpi"})
_COMMENT = frozenset({"comment"})

# Small images are made to be looked at closely: little loss, and no chroma subsampling.
_FORMATS = (
    # 1.5 MP of a photo took 162, 217, 291, 489 ms and 2.79, 2.75, 2.55, 2.55 MB at levels 1, 3, 4, 6.
    Format(
        "png",
        "PNG",
        (".png",),
        _COLOUR | _ALPHA | _DEEP,
        True,
        {"compress_level": 4},
        _TAGS | _DPI | {"text"},
    ),
    Format(
        "jpeg",
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        _COLOUR,
        True,
        {"quality": 95, "subsampling": 0},
        _TAGS | _DPI | _COMMENT,
        65500,
    ),
    Format("webp", "WEBP", (".webp",), frozenset({"RGB", "RGBA"}), True, {"quality": 95}, _TAGS, 16383),
    Format(
        "tiff",
        "TIFF",
        (".tif", ".tiff"),
        _COLOUR | _ALPHA | _DEEP | {"F"},
        True,
        {"compression": "tiff_adobe_deflate"},
        _TAGS | _DPI,
    ),
    Format("bmp", "BMP", (".bmp", ".dib"), _COLOUR, False, {}, _DPI),
    Format("ppm", "PPM", (".ppm", ".pnm"), _COLOUR | _DEEP, False, {}),
    Format("pgm", "PPM", (".pgm",), frozenset({"L"}) | _DEEP, False, {}),
    Format("gif", "GIF", (".gif",), frozenset({"L", "RGB", "RGBA"}), False, {}, _COMMENT, 65535),
    Format(
        "avif",
        "AVIF",
        (".avif",),
        frozenset({"RGB", "RGBA"}),
        True,
        {"quality": 90, "subsampling": "4:4:4"},
        _TAGS,
        32768,
    ),
)
FORMATS = {f.name: f for f in _FORMATS}
_BY_EXTENSION = {extension: f for f in _FORMATS for extension in f.extensions}
_BY_PILLOW = {f.pillow: f for f in reversed(_FORMATS)}
# Wider modes that hold the same pixels, in the order of preference.
_WIDER = {"L": ("RGB", "RGBA"), "LA": ("RGBA",), "RGB": (), "RGBA": (), "I;16": (), "F": ()}


@dataclass(frozen=True)
class Picture:
    """Pixels as a file shows them.

    Attributes
    ----------
    pixels : (H, W[, C]) ndarray
        uint8, or uint16 / float32 where the file holds gray of that depth.
    alpha : bool
        Whether the last channel is straight alpha.
    icc_profile : bytes or None
        Colour profile of the pixels.
    format : str
        Name in `FORMATS` of the format it was read from.
    metadata : Metadata
        What else the file tells of the picture.
    """

    pixels: NDArray[Any]
    alpha: bool
    icc_profile: bytes | None
    format: str
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


def format_of(path: PurePath) -> Format:
    """The format that a path's extension stands for, or an `ArgumentError`."""
    found = _BY_EXTENSION.get(path.suffix.lower())
    if found is None:
        known = " ".join(f.extensions[0] for f in _FORMATS)
        raise ArgumentError(f"{path}: no format is known by this extension: use one of {known}")
    return found


class _DamagedError(FileError):
    """What a decoder cannot read as it is."""


@contextmanager
def _file_errors(name: str, max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into one `FileError`."""
    try:
        with warnings.catch_warnings():
            # The limit on pixels below says it better; other notes are about metadata.
            warnings.simplefilter("ignore")
            yield
    except FileError:
        raise
    except UnidentifiedImageError:
        known = ", ".join(FORMATS).upper()
        raise _DamagedError(f"{name}: not an image that dpid reads: give {known}") from None
    except Image.DecompressionBombError:
        raise _too_large(name, max_pixels) from None
    except MemoryError:
        raise FileError(f"{name}: not enough memory to decode it: give a smaller image") from None
    except (
        OSError,
        RuntimeError,
        SyntaxError,
        ValueError,
        EOFError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        # Pillow's plugins raise all of these on damaged headers.
        raise _DamagedError(
            f"{name}: damaged or truncated image: {_one_line(error)}: get a whole copy"
        ) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("struct", "zlib"):
            raise _DamagedError(f"{name}: damaged image: {_one_line(error)}: get a whole copy") from error
        raise


def _too_large(name: str, max_pixels: int) -> FileError:
    millions, rest = divmod(max_pixels, 10**6)
    limit = f"{max_pixels}" if rest else f"{millions} million"
    return FileError(
        f"{name}: more than {limit} pixels, the limit: give a smaller image, "
        "or raise --max-pixels of 'dpid downscale'"
    )


@contextmanager
def _limits(max_pixels: int, truncated: bool) -> Iterator[None]:
    """Pillow's settings for one file; those of the process return when it is read."""
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    # Pillow refuses what has more than twice as many; `_decoded` what has more.
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = max_pixels, truncated
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _known_formats() -> list[str]:
    """Pillow's names, those first that it knows from the start: to find another, it loads all its plugins."""
    Image.preinit()
    return sorted(_BY_PILLOW, key=lambda name: name not in Image.OPEN)


def read(stream: IO[bytes], name: str, *, max_pixels: int = MAX_PIXELS, truncated: bool = False) -> Picture:
    """Decode the first image of a stream.

    What metadata is damaged is left out, with a `DpidWarning`.

    Parameters
    ----------
    stream : binary file
        Seekable.
    name : str
        What errors and warnings call it.
    max_pixels : int, default 512 million
        The most that are decoded; the header tells how many there are.
    truncated : bool, default False
        Whether to take what there is of a file that is cut off, with a `DpidWarning`.

    Returns
    -------
    Picture

    Raises
    ------
    FileError
        If it is not an image of a known format, damaged, truncated or too large.
    """
    try:
        return _decoded(stream, name, max_pixels)
    except _DamagedError as error:
        damage = error
    stream.seek(0)
    for plain in without_remarks(stream):
        with suppress(_DamagedError):
            picture = _decoded(io.BytesIO(plain), name, max_pixels)
            _warn(f"{name}: its text or other metadata is damaged or too long: it is left out")
            return picture
    if truncated:
        stream.seek(0)
        with suppress(_DamagedError):
            picture = _decoded(stream, name, max_pixels, truncated=True)
            _warn(f"{name}: damaged or truncated image: what is missing of it is blank")
            return picture
    raise damage


def _warn(message: str) -> None:
    warnings.warn(message, DpidWarning, stacklevel=3)


def _decoded(stream: IO[bytes], name: str, max_pixels: int, truncated: bool = False) -> Picture:
    with (
        _file_errors(name, max_pixels),
        _limits(max_pixels, truncated),
        one_block(),
        Image.open(stream, formats=_known_formats()) as image,
    ):
        if image.width * image.height > max_pixels:
            raise _too_large(name, max_pixels)
        deep = _is_deep(image)
        # Pillow calls a JPEG with several images MPO.
        format_name = _BY_PILLOW.get(image.format or "", FORMATS["jpeg"]).name
        image.load()
        metadata, lost = take(image)
        profile = image.info.get("icc_profile")
        plain, profile = _plain(image, profile if isinstance(profile, bytes) else None, name)
        pixels = _pixels(plain)
    if format_name == "ppm" and pixels.ndim == 2:
        format_name = "pgm"
    if deep and pixels.dtype == np.uint8:
        _warn(f"{name}: 16 bits in colour or with transparency are read as 8 bits")
    if lost:
        _warn(f"{name}: damaged or too long: {', '.join(lost)}: left out")
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise FileError(f"{name}: it holds NaN or infinity: replace them first")
    return Picture(pixels, plain.mode in ("LA", "RGBA"), profile, format_name, metadata)


def _pixels(image: Image.Image) -> NDArray[Any]:
    """The image as an array, in Pillow's own memory where it is laid out like one."""
    if image.mode in ("L", "RGB", "RGBA"):
        with suppress(ValueError):  # several blocks, because it was made before
            return shared(image)
    # In parts, because Pillow holds two more copies of what it hands over.
    width, height = image.size
    first = np.asarray(image.crop((0, 0, width, 1)))
    result = np.empty((height, *first.shape[1:]), first.dtype)
    for top in range(0, height, _COPIED_ROWS):
        bottom = min(top + _COPIED_ROWS, height)
        result[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return result


def _is_deep(image: Image.Image) -> bool:
    """Whether the file has more than 8 bits a channel, before Pillow reduces them to what its modes hold."""
    bits = getattr(image, "tag_v2", {}).get(258, (8,))
    if max(bits) > 8:
        return True
    # What the decoder is told: a raw mode, for PPM with the largest value.
    return any(
        ";16" in str(tile.args) or (tile.codec_name.startswith("ppm") and tile.args[-1] > 255)
        for tile in getattr(image, "tile", ())[:1]
    )


def _plain(image: Image.Image, profile: bytes | None, name: str) -> tuple[Image.Image, bytes | None]:
    """The same picture in one of the modes L, LA, RGB, RGBA, I;16, F, and its profile."""
    if image.mode in ("CMYK", "LAB"):
        return _to_srgb(image, profile)
    if image.mode in ("I", "I;16B", "I;16L", "I;16N"):
        return _gray16(image, name), profile
    if image.mode == "I;16" and "transparency" in image.info:
        return _gray_with_key(image), profile
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA"), profile
    simple = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "La": "LA", "RGBa": "RGBA"}
    return (image.convert(simple[image.mode]) if image.mode in simple else image), profile


def _gray16(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise FileError(f"{name}: it holds integers outside 0 to 65535: convert it to 16 bits or floats")
    return Image.fromarray(values.astype(np.uint16))


def _gray_with_key(image: Image.Image) -> Image.Image:
    """16-bit gray, one value of which is transparent, as 8-bit gray and alpha."""
    values = np.asarray(image)
    alpha = np.where(values == image.info["transparency"], 0, 255)
    return Image.fromarray(np.stack([(values + 128.0) // 257, alpha], axis=-1).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """CMYK or Lab as sRGB, through the image's own profile where it has one."""
    from PIL import ImageCms

    srgb = ImageCms.createProfile("sRGB")
    source: Any = ImageCms.createProfile("LAB") if image.mode == "LAB" else None
    if profile and image.mode == "CMYK":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space.strip() != "CMYK":
                source = None
        except (OSError, ImageCms.PyCMSError):
            source = None
    if source is None:
        return image.convert("RGB"), None
    try:
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except ImageCms.PyCMSError:  # it lacks the tables
        converted = None
    if converted is None:
        return image.convert("RGB"), None
    return converted, ImageCms.ImageCmsProfile(srgb).tobytes()


def write(picture: Picture, stream: IO[bytes], format_: Format, name: str) -> None:
    """Encode a picture; `name` is what errors and warnings call the target.

    Raises
    ------
    FileError
        If the format cannot hold the picture's depth, size or transparency, or the codec fails.
    """
    picture = _without_opaque_alpha(picture) if not format_.modes & _ALPHA else picture
    image = Image.fromarray(picture.pixels)
    _check_side(image, format_, name)
    image = _in_mode(image, format_, name)
    options = dict(format_.options)
    if picture.icc_profile:
        gray = picture.icc_profile[16:20] == b"GRAY"
        if format_.profile and not (gray and image.mode.startswith("RGB")):
            options["icc_profile"] = picture.icc_profile
        else:
            what = "colour profile" if not format_.profile else "profile of gray"
            _warn(f"{name}: {format_.name.upper()} holds no {what}: it is left out")
    long = _encode_with(picture.metadata, image, stream, format_, options, name)
    if long:
        _warn(f"{name}: too long for {format_.name.upper()}: {', '.join(long)}: left out")


def _encode_with(
    metadata: Metadata,
    image: Image.Image,
    stream: IO[bytes],
    format_: Format,
    options: Mapping[str, Any],
    name: str,
) -> list[str]:
    """Encode with metadata, or without if that is what fails; what of it is too long."""
    try:
        told, long = save_options(metadata, format_.name, format_.metadata, image.size)
        _encode(image, stream, format_, {**options, **told}, name)
    except (struct.error, LookupError, TypeError, ValueError, ArithmeticError, SystemError):
        record = Metadata(software=metadata.software)
        if metadata == record:
            raise
        stream.seek(0)
        stream.truncate()
        _encode_with(record, image, stream, format_, options, name)
        _warn(f"{name}: {format_.name.upper()} cannot hold its metadata: it is left out")
        return []
    return long


def _encode(
    image: Image.Image, stream: IO[bytes], format_: Format, options: Mapping[str, Any], name: str
) -> None:
    told = dict(options)
    directories = told.pop("directories", None)
    try:
        if directories is None:
            image.save(stream, format_.pillow, **told)
        else:
            buffer = io.BytesIO()
            image.save(buffer, format_.pillow, **told)
            stream.write(with_directories(buffer.getvalue(), directories))
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own error, not the codec's
        raise FileError(
            f"{name}: cannot be encoded as {format_.name.upper()}: {_one_line(error)}: choose another format"
        ) from error


def _check_side(image: Image.Image, format_: Format, name: str) -> None:
    side = max(image.size)
    if side > format_.max_side:
        able = [f.name.upper() for f in _FORMATS if side <= f.max_side and image.mode in f.modes]
        raise FileError(
            f"{name}: {format_.name.upper()} holds at most {format_.max_side} pixels a side: "
            f"write {' or '.join(able)}"
        )


def _without_opaque_alpha(picture: Picture) -> Picture:
    if not picture.alpha or picture.pixels[..., -1].min() < 255:
        return picture
    colours = picture.pixels[..., :-1]
    if colours.shape[2] == 1:
        colours = colours[..., 0]
    return replace(picture, pixels=np.ascontiguousarray(colours), alpha=False)


def _in_mode(image: Image.Image, format_: Format, name: str) -> Image.Image:
    """The image in a mode that the format holds without loss."""
    if image.mode in format_.modes:
        return image
    for mode in _WIDER[image.mode]:
        if mode in format_.modes:
            return image.convert(mode)
    lacks = {"LA": "transparency", "RGBA": "transparency", "I;16": "16 bits", "F": "floating point"}
    able = [f.name.upper() for f in _FORMATS if image.mode in f.modes]
    lacking = lacks.get(image.mode, "colour")
    raise FileError(f"{name}: {format_.name.upper()} holds no {lacking}: write {' or '.join(able)}")
