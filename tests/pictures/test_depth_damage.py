"""Files of 16 bits and of floats that are damaged, truncated or claim too much."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from dpid_cli.errors import DpidWarning, FileError
from dpid_cli.pictures import FORMATS, Picture, read, write
from support.command import is_one_error_line
from support.high_depth import chunk, png, scanlines, tiff, values


def deep_files() -> dict[str, bytes]:
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        values("RGBA", "16", 40, 50),
        photometric="rgb",
        extrasamples=["unassalpha"],
        compression="lzw",
        predictor=True,
        rowsperstrip=8,
    )
    tiles = io.BytesIO()
    tifffile.imwrite(
        tiles, values("RGB", "float", 40, 50), photometric="rgb", tile=(16, 16), compression="zlib"
    )
    return {
        "png": png(values("RGB", "16", 40, 50)),
        "interlaced": png(values("LA", "16", 40, 50), interlaced=True),
        "plain": tiff(values("RGB", "float", 40, 50)),
        "strips": stream.getvalue(),
        "tiles": tiles.getvalue(),
        "ppm": b"P6 50 40 65535\n" + values("RGB", "16", 40, 50).astype(">u2").tobytes(),
    }


FILES = deep_files()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("max_pixels", [10, 10**6])
@pytest.mark.filterwarnings("ignore::dpid_cli.errors.DpidWarning")
def test_damaged_files(name, max_pixels, capfd):
    """One line, and nothing of the decoders' own on standard error."""
    whole = FILES[name]
    random = np.random.default_rng(5)
    damaged = [whole[:cut] for cut in random.integers(0, len(whole), 40)]
    for _ in range(160):
        changed = bytearray(whole)
        # The headers are where it hurts.
        for place in random.integers(0, random.choice([60, len(whole)]), random.integers(1, 4)):
            changed[place] ^= int(random.integers(1, 256))
        damaged.append(bytes(changed))
    errors = 0
    for data in damaged:
        for truncated in False, True:
            try:
                read(io.BytesIO(data), "a", max_pixels=max_pixels, truncated=truncated)
            except FileError as error:
                errors += 1
                assert is_one_error_line(f"{error}\n")
    assert errors > 40
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("place", "value"), [(25, 3), (26, 1), (27, 64), (28, 2)])
def test_headers_that_no_png_of_16_bits_has(place, value, capfd):
    header = bytearray(FILES["png"][:33])
    header[place] = value
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    with pytest.raises(FileError):
        read(io.BytesIO(bytes(header) + FILES["png"][33:]), "a")
    assert capfd.readouterr() == ("", "")


def test_pngs_longer_than_libpng_takes(capfd):
    header = FILES["png"][:16] + struct.pack(">II", 10**6 + 1, 1) + FILES["png"][24:29]
    whole = header + struct.pack(">I", zlib.crc32(header[12:])) + FILES["png"][33:]
    with pytest.raises(FileError, match="more than 1000000 pixels a side"):
        read(io.BytesIO(whole), "a", truncated=True)
    long = Picture(np.zeros((1, 10**6 + 1), np.uint16), False, None, "tiff")
    with pytest.raises(FileError, match=r"^out: cannot be encoded as PNG: more than 1000000 pixels a side: "):
        write(long, io.BytesIO(), FORMATS["png"], "out")
    assert capfd.readouterr() == ("", "")


def test_odd_pngs_are_read_in_silence(capfd):
    pixels = values("RGB", "16")
    packed = zlib.compress(scanlines(pixels) + b"more rows than there are" * 99) + b"and more"
    whole = png(pixels)
    start = whole.index(b"IDAT") - 4
    stream = io.BytesIO(
        whole[:start] + chunk(b"IDAT", packed[:50]) + chunk(b"IDAT", packed[50:]) + whole[-12:]
    )
    picture = read(stream, "a")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", FILES)
def test_what_there_is_of_a_file_that_is_cut_off(name):
    whole = FILES[name]
    complete = read(io.BytesIO(whole), "a").pixels
    half = whole[: len(whole) // 2] if name in ("png", "interlaced", "ppm") else None
    if half is None:  # the directory stands behind the pixels, which are overwritten
        half = whole[: len(whole) // 3] + bytes(len(whole) // 6) + whole[len(whole) // 2 :]
        if name == "plain":
            return
    with pytest.raises(FileError):
        read(io.BytesIO(half), "a")
    with pytest.warns(DpidWarning, match="damaged or truncated"):
        picture = read(io.BytesIO(half), "a", truncated=True)
    same = (picture.pixels == complete).reshape(*complete.shape[:2], -1).all(2)
    assert picture.pixels.shape == complete.shape and 0.1 < same.mean() < 0.95


HUGE = {
    "png": lambda: (
        png(values("RGB", "16"))[:16] + struct.pack(">II", 20000, 20000) + png(values("RGB", "16"))[24:]
    ),
    "limit": lambda: png(values("L", "16"))[:16] + struct.pack(">II", 100000, 100000),
    "strip": lambda: tiff(values("RGB", "16"), {256: [20000], 257: [20000], 278: [20000]}),
    "lzw": lambda: tiff(values("RGB", "16"), {256: [20000], 257: [20000], 278: [20000], 259: [5]}),
    "tile": lambda: tiff(values("RGB", "16"), {322: [60000], 323: [60000], 324: [8], 325: [10]}),
    "samples": lambda: tiff(values("L", "16"), {277: [60000]}),
    "bits": lambda: tiff(values("L", "16"), {258: [77]}),
    "offsets": lambda: tiff(values("RGB", "float"), {256: [20000], 257: [20000], 278: [1]}),
    "ppm": lambda: b"P6 20000 20000 65535\n12345678",
}


@pytest.mark.parametrize("name", HUGE)
def test_claims_take_no_memory(name):
    data = HUGE[name]()
    tracemalloc.start()
    try:
        with pytest.raises(FileError):
            read(io.BytesIO(data), "a")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", [19, 23, 25])
def test_a_header_of_a_png_that_was_flipped(dpid, folder, place):
    data = bytearray(imagecodecs.png_encode(np.ones((96, 64, 3), np.uint16)))
    data[place] ^= 0x20
    Path("a.png").write_bytes(data)
    result = dpid("downscale", "a.png", "-s", "2", "-o", "b.png")
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and not Path("b.png").exists()
