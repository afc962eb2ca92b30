"""PNG, with its animations (APNG)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures import iptc
from dpid_cli.pictures.cicp import Cicp
from dpid_cli.pictures.codecs import png_chunks
from dpid_cli.pictures.codecs.base import (
    ALPHA,
    COLOUR,
    HIGH_DEPTH,
    INDICES,
    TAGS,
    Animation,
    Codec,
    as_ratio,
)
from dpid_cli.pictures.codecs.encoder_options import COLORS, EFFORT, PROGRESSIVE
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Colours, Frames, Image, Limits, Metadata, Opened, Pixels

_XMP_KEYWORD = "XML:com.adobe.xmp"
_RAW_PROFILE = "Raw profile type"  # how ImageMagick stores binary metadata as text
_IPTC_KEYWORDS = tuple(f"{_RAW_PROFILE} {kind}" for kind in ("iptc", "8bim", "APP13"))
_LONGEST_KEYWORD = 79
_NO_MATRIX = 0  # as pixels are gray or RGB
_COLUMNS = 72  # of hexadecimal digits


class Png(Codec):
    """PNG of 8 and 16 bits a channel."""

    name, title, pillow = "png", "PNG", "PNG"
    extensions = (".png", ".apng")
    signature = rb"\x89PNG\r\n\x1a\n"
    plugin = "PIL.PngImagePlugin"
    modes = COLOUR | ALPHA | HIGH_DEPTH | INDICES
    profile = True
    cicp = True
    metadata = TAGS | {"iptc", "dpi", "text", "density"}
    several = "animation"
    max_iptc = png_chunks.LONGEST_TEXT * 4 // 9  # as digits, in lines
    defaults: ClassVar = {"effort": 4, "progressive": False, "colors": None}
    encoder_options = (EFFORT, PROGRESSIVE, COLORS)
    always_lossless = True
    repairable = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        head = stream.read(25)
        stream.seek(0)
        if head[12:16] != b"IHDR" or head[24:] != b"\x10":
            return self.open_image(stream, limits)
        from dpid_cli.pictures.codecs import png_pixels

        self.load_plugin()
        coding = png_chunks.coding(stream)
        opened = png_pixels.opened(stream.read(), limits)
        _note_coding(opened.header, coding)
        return opened

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        coding = png_chunks.coding(stream)
        image = super().open_image(stream, limits)
        _note_coding(image, coding)
        return image

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        from dpid_cli.pictures.codecs import png_pixels

        if not png_pixels.is_animated(stream):
            return None
        animation = png_pixels.read_animation(stream, limits.frames)
        if len(animation.patches) <= 1 and not animation.hidden:
            return None
        if not animation.patches and (animation.whole or limits.truncated):
            return None  # but the image that is shown where animations are not
        return animation.frames(limits, partial(self.open_again, stream, limits))

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        return [png_chunks.without_text(data)]

    def colours(self, image: Image.Image) -> Colours:
        """By code points, else a profile, else a mark of sRGB, else gamma and primaries, else EXIF."""
        from dpid_cli.pictures import profiles
        from dpid_cli.pictures.profiles import Colours, coded

        info = image.info
        if "cicp" in info:
            colours = coded(info["cicp"], image.mode)
            notes = ["its light levels (mDCV, cLLI) are dropped"] * info["light_levels"]
            return colours._replace(notes=[*colours.notes, *notes])
        if isinstance(info.get("icc_profile"), bytes):
            return super().colours(image)
        gamma, corners = info.get("gamma"), info.get("chromaticity")
        if "srgb" in info or (gamma is None and corners is None):
            return Colours() if "srgb" in info else super().colours(image)
        notes = []
        if gamma is not None and not profiles.has_curve(gamma):
            notes.append(f"its gamma (gAMA) of {gamma:g} is not usable: that of sRGB is used instead")
            gamma = None
        is_colour = image.mode not in profiles.GRAY_MODES
        if is_colour and corners is not None and not profiles.has_colours(corners):
            notes.append("its primaries (cHRM) are not usable: those of sRGB are used instead")
            corners = None
        return Colours(profiles.of_gamma(gamma, corners, image.mode), notes=notes)

    def texts(self, image: Image.Image) -> tuple[dict[str, str], bool]:
        # Pillow puts them among what it finds itself, and one may be called "transparency".
        texts = {
            key: image.info.pop(key)
            for key, value in list(image.info.items())
            if isinstance(key, str) and isinstance(value, str)
            if key != _XMP_KEYWORD and not key.startswith(_RAW_PROFILE)
        }
        longest = png_chunks.LONGEST_TEXT
        kept = {k: text for k, text in texts.items() if len(k) <= _LONGEST_KEYWORD and len(text) <= longest}
        return kept, len(kept) == len(texts)

    def iptc(self, image: Image.Image) -> list[bytes]:
        return [iptc_of_text(image.info.get(keyword, "")) for keyword in _IPTC_KEYWORDS]

    def stores_alpha_of_colours(self, alpha: bytes) -> bool:
        return True

    def density(self, image: Image.Image) -> tuple[float, float] | None:
        return image.info.get("aspect")

    def mode_with_options(self, mode: str) -> str:
        if self.options["colors"] is None or mode in INDICES:
            return mode
        if mode in HIGH_DEPTH:
            raise RefusedError(f"palettes of {self.title} have 8 bits: leave --colors out, or use --depth 8")
        return "P"

    def save_options(self, metadata: Metadata, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
        options, lost = super().save_options(metadata, size)
        xmp, records = options.pop("xmp", b""), options.pop("iptc", b"")
        if metadata.density and metadata.density[0] != metadata.density[1]:
            options["density"] = metadata.density
        return options | {"pnginfo": _chunks(metadata, xmp, records)}, lost

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        from dpid_cli.pictures.codecs import png_encoder, png_pixels

        height, width = pixels.shape[:2]
        plain = dict(options)
        cicp, density = plain.pop("cicp", None), plain.pop("density", None)
        effort, interlaced, _ = (plain.pop(name) for name in ("effort", "progressive", "colors"))
        # Pillow writes everything but the pixels: the same file with one pixel of 8 bits a channel.
        one = pixels[:1, :1].astype("uint8")
        file = self.by_pillow(*self.image_to_save(one, mode.removesuffix(";16"), plain))
        if cicp is not None:
            numbers = (cicp.primaries, cicp.transfer, _NO_MATRIX, cicp.full_range)
            file = png_chunks.with_chunk(file, b"cICP", bytes(numbers))
        if density is not None:
            file = png_chunks.with_aspect(file, as_ratio(density, 2**31 - 1))
        header = png_chunks.Header.of(file)._replace(width=width, height=height)
        if pixels.itemsize == 2:
            png_pixels.check_sides(height, width)
            header = header._replace(depth=16)
        header = header._replace(passes=int(interlaced))
        bits = header.depth if mode == "P" else None
        rows = png_encoder.encoded(pixels, effort, bits, interlaced=interlaced)
        for part in png_chunks.with_pixels(file, header, rows):
            stream.write(part)

    def compile_kernels(self) -> None:
        import numpy as np

        from dpid_cli.pictures.codecs import png_encoder

        png_encoder.encoded(np.zeros((1, 1), np.uint8), 1)

    def write_animation(self, animation: Animation, stream: IO[bytes]) -> None:
        import numpy as np

        from dpid_cli.pictures.codecs import png_encoder, png_pixels

        if self.options["colors"] is not None:
            raise RefusedError(f"{self.title} animations share one palette, which is not made: use --frame N")
        if self.options["progressive"]:  # which Pillow, for one, cannot read
            raise RefusedError(f"{self.title} animations are not interlaced: leave --progressive out")
        first = io.BytesIO()
        animation.write_first(first, {})

        def encode(image: Image.Image) -> list[bytes]:
            return png_encoder.encoded(np.asarray(image), self.options["effort"])

        png_pixels.write_animation(first.getvalue(), animation, encode, stream)


def _note_coding(image: Image.Image, coding: Mapping[bytes, bytes]) -> None:
    """Put code points where `colours` finds them."""
    if b"cICP" in coding:
        primaries, transfer, _, is_full = coding[b"cICP"]
        image.info["cicp"] = Cicp(primaries, transfer, bool(is_full))
        image.info["light_levels"] = len(coding) > 1


def _chunks(metadata: Metadata, xmp: bytes, records: bytes) -> Any:
    """Pillow's ``PngInfo`` with all texts."""
    from PIL.PngImagePlugin import PngInfo

    texts = dict(metadata.text)
    if metadata.comment and "Comment" not in texts:
        comment = metadata.comment.rstrip(b"\0")  # some programs write it, and PNG forbids it
        try:
            texts["Comment"] = comment.decode()
        except UnicodeDecodeError:
            texts["Comment"] = comment.decode("latin-1")
    if metadata.software:
        texts["Software"] = metadata.software.encode(errors="replace").decode()
    if records:
        texts[_IPTC_KEYWORDS[0]] = text_of_iptc(records)
    chunks = PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value, zip=len(value) > 1024)
    if xmp:
        chunks.add_itxt(_XMP_KEYWORD, xmp.decode())
    return chunks


def text_of_iptc(records: bytes) -> str:
    """IPTC records as the text that ImageMagick and ExifTool write."""
    digits = records.hex()
    lines = (digits[start : start + _COLUMNS] for start in range(0, len(digits), _COLUMNS))
    return "\n".join(["\niptc", f"{len(records):8d}", *lines, ""])


def iptc_of_text(text: str) -> bytes:
    """The records in such a text, unchecked; empty if there are none."""
    match = re.fullmatch(r"\n[^\n]*\n *\d+\n([0-9A-Fa-f\s]*)", text)
    digits = "".join(match[1].split()) if match else ""
    content = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
    if text and not content:
        return text.encode("latin-1", "replace")  # which are no records
    is_wrapped = content.startswith((b"8BIM", iptc.PHOTOSHOP))
    return iptc.in_resources(content) if is_wrapped else content
