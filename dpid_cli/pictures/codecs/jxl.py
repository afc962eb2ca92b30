"""JPEG XL, by pillow-jxl-plugin; its 16 bits by imagecodecs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.cicp import HLG, PQ, Cicp
from dpid_cli.pictures.codecs.base import ALPHA, COLOUR, GAIN_MAP, HIGH_DEPTH, TAGS, Codec
from dpid_cli.pictures.codecs.encoder_options import EFFORT, LOSSLESS, QUALITY, TARGET_SIZE
from dpid_cli.pictures.codecs.isobmff import box, box_places, boxes, metadata_in
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import HighDepthImage, Image, Limits, Opened, Pixels, Samples


_KEPT = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp"})
_METADATA = (("exif", b"Exif"), ("xmp", b"xml "))
# Names of the profiles that the decoder makes up.
_SRGB_NAMES = (b"sRGB", b"Gra_D65_Rel_SRG")
_HDR_NAMES = {PQ: b"_Rel_PeQ", HLG: b"_Rel_HLG"}
_BT2020 = 9
_EFFORT = 3  # of 16 bits: as small as 5 and 7, in a fifth and a fifteenth of the time
_BYTES = 64  # which hold all of this
_SIGNATURE = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# Two bits choose one of four ranges for a number: where the range begins, and how many bits follow.
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_PREVIEW = ((1, 6), (65, 8), (321, 10), (1345, 12))
_PREVIEW_EIGHTHS = ((16, 0), (32, 0), (1, 5), (33, 9))
_TICKS = (((100, 0), (1000, 0), (1, 10), (1, 30)), ((1, 0), (1001, 0), (1, 8), (1, 10)))
_LOOPS = ((0, 0), (0, 3), (0, 16), (0, 32))
_ENUMERATED = ((0, 0), (1, 0), (2, 4), (18, 6))
_CHANNELS = ((0, 0), (1, 0), (2, 4), (1, 12))  # in addition to colours
_SHIFT, _NAME = ((0, 0), (3, 0), (4, 0), (1, 3)), ((0, 0), (0, 4), (16, 5), (48, 10))
_RGB, _LINEAR, _SRGB = 0, 8, 13  # colour space; transfer functions
_INTEGERS, _FLOATS = ((8, 0), (10, 0), (12, 0), (1, 6)), ((32, 0), (16, 0), (24, 0), (1, 6))


class Jxl(Codec):
    """JPEG XL of 8 and 16 bits a channel."""

    name, title, pillow = "jxl", "JPEG XL", "JXL"
    extensions = (".jxl",)
    signature = rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"
    plugin = "pillow_jxl"
    package = "pillow-jxl-plugin"
    modes = COLOUR | ALPHA | HIGH_DEPTH
    slow = True
    metadata = TAGS
    defaults: ClassVar = {"quality": 95, "target_size": None, "lossless": False, "effort": 7}
    encoder_options = (QUALITY, TARGET_SIZE, LOSSLESS, EFFORT)
    finer = tuple({"effort": effort} for effort in (8, 6, 5, 4, 3))
    partial = False
    repairable = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        image = self.open_image(stream, limits)
        header = read_header(stream)
        # Of animations, Pillow's plugin gives the last frame.
        return _high_depth(image, header, stream) if header.bits > 8 or header.animated else image

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        limits.check_size(read_header(stream).size)  # the plugin decodes when it opens
        stream.seek(0)
        try:
            image = super().open_image(stream, limits)
        except RuntimeError as error:  # with a message for developers
            raise ValueError("its decoder cannot read it") from error
        image.info.update(metadata_in(stream))
        if not getattr(image, "jpeg", False):
            _correct(image)
        return image

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        notes = ["an animation, of which only the first frame is read"] * read_header(stream).animated
        has_gain_map = any(kind == b"jhgm" for kind, _ in box_places(stream))
        return notes + [GAIN_MAP] * has_gain_map

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        if data[4:8] == b"JXL ":
            yield b"".join(box(kind, content) for kind, content in boxes(data) if kind in _KEPT)

    def keywords(self) -> dict[str, Any]:
        own = dict(self.options)
        del own["target_size"]
        own["lossless"] = own["lossless"] or own["quality"] == QUALITY.highest  # which the plugin refuses
        return own | {"effort": max(own["effort"], 1)}

    def mode_with_options(self, mode: str) -> str:
        for name in ("quality", "target_size"):
            if mode in HIGH_DEPTH and self.options[name] != self.defaults[name]:
                label = name.replace("_", "-")
                raise RefusedError(
                    f"{self.title} of 16 bits is lossless: leave --{label} out, or use --depth 8"
                )
        return mode

    def stored_exif(self, tags: Image.Exif) -> Any:
        return bytes(4) + tags.tobytes()[6:]  # an offset instead of a label

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        from imagecodecs import jpegxl_encode

        effort = _EFFORT if options["effort"] == self.defaults["effort"] else options["effort"]
        file = bytes(jpegxl_encode(pixels, lossless=True, effort=effort, usecontainer=True))
        parts = [(kind, _in_srgb(code) if kind == b"jxlc" else code) for kind, code in boxes(file)]
        parts += [(kind, options[key]) for key, kind in _METADATA if key in options]
        return b"".join(box(*part) for part in parts)


def _correct(image: Image.Image) -> None:
    """Remove a profile that the plugin makes up, and EXIF's orientation, which the header repeats.

    Profiles that it makes up only approximate HDR.
    """
    from PIL.ExifTags import Base

    from dpid_cli.pictures import profiles

    profile = image.info.get("icc_profile", b"")
    names = profile.replace(b"\0", b"") if profile[4:8] == b"jxl " else b""
    for transfer, name in _HDR_NAMES.items():
        if name in names:  # without code points if it is one of gray
            primaries = (profiles.code_in(profile) or Cicp(_BT2020, transfer)).primaries
            image.info["cicp"] = Cicp(primaries, transfer)
    if "cicp" in image.info or any(name in names for name in _SRGB_NAMES):
        del image.info["icc_profile"]
    with suppress(Exception):  # damaged EXIF turns nothing
        tags = image.getexif()
        if orientation := tags.pop(Base.Orientation, None):
            image.info["exif"] = tags.tobytes()
            image.info["original_orientation"] = orientation


def _high_depth(image: Image.Image, header: Header, stream: IO[bytes]) -> HighDepthImage:
    from dpid_cli.pictures.codecs.images import HighDepthImage, samples_like

    def samples() -> Samples:
        import numpy as np
        from imagecodecs import jpegxl_decode

        if header.bits > (32 if header.floats else 16):
            raise RefusedError(
                f"JPEG XL of {header.bits} bits is not supported: convert it to 16 bits or floats"
            )
        stream.seek(0)
        return samples_like(image, np.asarray(jpegxl_decode(stream.read(), index=0)), header.bits)

    return HighDepthImage(image.size, image, samples)


@dataclass(frozen=True)
class Header:
    """Width and height as stored, bits a channel, and whether it is an animation."""

    size: tuple[int, int]
    bits: int = 8
    floats: bool = False
    animated: bool = False


class _Bits:
    """Numbers in a row of bits, least significant first."""

    def __init__(self, data: bytes) -> None:
        self._all = int.from_bytes(data, "little")
        self._length = len(data)
        self.place = 0

    def take(self, count: int) -> int:
        value = self._all >> self.place & ((1 << count) - 1)
        self.place += count
        return value

    def replaced(self, place: int, count: int, value: int) -> bytes:
        """All bits, with others in one place."""
        mask = ((1 << count) - 1) << place
        return (self._all & ~mask | value << place).to_bytes(self._length, "little")

    def choose(self, ranges: tuple[tuple[int, int], ...]) -> int:
        first, count = ranges[self.take(2)]
        return first + self.take(count)

    def size(
        self, side: tuple[tuple[int, int], ...], eighths: tuple[tuple[int, int], ...] | None
    ) -> tuple[int, int]:
        """Width and height; `eighths` are ranges of sides in units of 8, None for one of five bits."""
        small = self.take(1)

        def one() -> int:
            if not small:
                return self.choose(side)
            return 8 * (self.take(5) + 1 if eighths is None else self.choose(eighths))

        height, ratio = one(), self.take(3)
        if not ratio:
            return one(), height
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height


def read_header(stream: IO[bytes]) -> Header:
    """Read the header, or raise a `ValueError` if there is none."""
    stream.seek(0)
    head = stream.read(_BYTES)
    if head[:2] != _SIGNATURE:
        head = b""
        for kind, length in box_places(stream):
            if kind in (b"jxlc", b"jxlp") and len(head) < _BYTES:
                part = stream.read(min(length, 4 + _BYTES))
                head += part[4:] if kind == b"jxlp" else part  # behind its number
    if head[:2] != _SIGNATURE or len(head) < 4:
        raise ValueError("its size is missing")
    return _header(_Bits(head[2:_BYTES]))


def _header(bits: _Bits) -> Header:
    """The header up to the depth."""
    size = bits.size(_SIDE, None)
    if bits.take(1):  # everything else is the default
        return Header(size)
    animated = False
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):  # intrinsic size
            bits.size(_SIDE, None)
        if bits.take(1):
            bits.size(_PREVIEW, _PREVIEW_EIGHTHS)
        animated = bool(bits.take(1))
        if animated:
            for ranges in (*_TICKS, _LOOPS):
                bits.choose(ranges)
            bits.take(1)
    floats = bool(bits.take(1))
    return Header(size, bits.choose(_FLOATS if floats else _INTEGERS), floats, animated)


def _in_srgb(code: bytes) -> bytes:
    """A lossless code stream with its colours declared sRGB: the encoder declares 16 bits to be linear."""
    bits = _Bits(code[2:_BYTES])
    header = _header(bits)
    bits.take(1)  # short buffers
    if bits.choose(_CHANNELS) and not bits.take(1):  # alpha, of more than 8 bits
        bits.choose(_ENUMERATED)
        bits.choose(_FLOATS if bits.take(1) else _INTEGERS)
        bits.choose(_SHIFT)
        bits.take(8 * bits.choose(_NAME) + 1)
    is_transformed = bits.take(1)
    if header.bits != 16 or is_transformed:
        raise ValueError("its encoder has changed the pixels")
    if bits.take(1):  # sRGB is the default
        return code
    by_profile = bits.take(1)
    for _ in range(2 if bits.choose(_ENUMERATED) == _RGB else 1):  # white, primaries
        bits.choose(_ENUMERATED)
    by_gamma, place = bits.take(1), bits.place + 2
    if by_profile or by_gamma or bits.choose(_ENUMERATED) != _LINEAR:
        raise ValueError("its encoder has declared other colours")
    return code[:2] + bits.replaced(place, 4, _SRGB - 2) + code[_BYTES:]
