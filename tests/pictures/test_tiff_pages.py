"""Which images of a TIFF are its pages: those of full resolution, and no camera RAW."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.pictures import read, read_sequence, read_size
from support.command import is_one_error_line, pixels
from support.high_depth import tiff, values
from support.profiles import ink_profile

RAW = "it is a camera RAW file: develop it first"
FILTERS, LINEAR = 32803, 34892  # PhotometricInterpretation


def written(*writes: tuple[np.ndarray, dict]) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        for array, options in writes:
            file.write(array, metadata=None, **options)
    return stream.getvalue()


def thumbnail(below: int = 0) -> tuple[np.ndarray, dict]:
    return values("RGB", "8", 5, 7), {"subfiletype": 1} | ({"subifds": below} if below else {})


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_thumbnail_first(dpid, folder, depth):
    image = values("RGB", depth, 40, 60)
    Path("a.tif").write_bytes(written(thumbnail(), (image, {}), (image[::-1].copy(), {"subfiletype": 2})))
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "--json")
    assert json.loads(result.stdout)["frames"] == 2
    means = image.reshape(20, 2, 30, 2, 3).mean((1, 3))
    with tifffile.TiffFile("a_box_x2.tif") as found:
        for page, expected in zip(found.pages, (means, means[::-1]), strict=True):
            np.testing.assert_allclose(page.asarray(), expected, atol=0.51)


def test_what_describes_the_page_and_not_its_thumbnail():
    """Orientation, resolution, profile and texts."""
    other = {"iccprofile": b"x" * 200, "resolution": (72, 72), "extratags": [(271, 2, 0, "No", True)]}
    own = {"iccprofile": ink_profile(), "resolution": (300, 300), "resolutionunit": 2}
    own["extratags"] = [(271, 2, 0, "Camera", True), (274, 3, 1, 6, True)]
    for depth in "8", "16":
        image = values("RGB", depth)
        small, options = thumbnail()
        data = written((small, options | other), (image, own))
        picture = read(io.BytesIO(data), "a")
        np.testing.assert_array_equal(picture.pixels, np.rot90(image, -1))
        assert picture.icc_profile == ink_profile() and picture.metadata.dpi == (300, 300)
        assert b"Camera" in picture.metadata.exif and read_size(io.BytesIO(data), "a") == (20, 30)


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_page_in_a_subifd(dpid, folder, depth):
    """Of a file that a descriptor is behind, which libtiff opens anew, and of one in memory."""
    image = values("RGB", depth)
    for compression in None, "lzw":
        Path("a.tif").write_bytes(written(thumbnail(below=1), (image, {"compression": compression})))
        with Path("a.tif").open("rb") as stream:
            np.testing.assert_array_equal(read(stream, "a").pixels, image)
        np.testing.assert_array_equal(read(io.BytesIO(Path("a.tif").read_bytes()), "a").pixels, image)
        assert dpid("downscale", "a.tif", "-s", "2", "-o", "a.png", "--overwrite").exit_code == 0
        assert pixels("a.png").shape == (10, 15, 3)


def test_a_mask_is_not_dropped_silently(dpid, folder):
    """First or second."""
    image, mask = values("RGB", "8"), (values("L", "8") > 99, {"subfiletype": 4, "photometric": "mask"})
    for number, writes in enumerate(((mask, (image, {})), ((image, {}), mask))):
        Path("a.tif").write_bytes(written(*writes))
        result = dpid("downscale", "a.tif", "-s", "1", "-m", "box", "-o", f"{number}.png")
        line = "a.tif: it has a mask, which would make pixels transparent: dropped\n"
        assert (result.exit_code, result.stderr) == (0, line)
        np.testing.assert_array_equal(pixels(f"{number}.png"), image)


def test_a_mask_alone_is_an_image(dpid, folder):
    mask = values("L", "8")
    Path("a.tif").write_bytes(tiff(mask, {254: [4]}))
    assert dpid("downscale", "a.tif", "-s", "1", "-m", "box", "-o", "b.png").stderr == ""
    np.testing.assert_array_equal(pixels("b.png"), mask)


def test_a_subifd_that_is_damaged():
    """It does not matter below a page; below a thumbnail, the image is lost."""
    image = values("RGB", "8")
    for first, is_read in ((image, True), (thumbnail(below=1)[0], False)):
        options = {"subifds": 1} | ({} if is_read else {"subfiletype": 1})
        data = bytearray(written((first, options), (image, {"subfiletype": int(is_read)})))
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tag = file.pages[0].tags["SubIFDs"]
            struct.pack_into("<I", data, tag.valueoffset, len(data) + 99)
        if is_read:
            np.testing.assert_array_equal(read(io.BytesIO(data), "a").pixels, image)
        else:
            with pytest.raises(FileError, match="damaged"):
                read(io.BytesIO(data), "a")
        # A page behind the thumbnail is enough.
        more = written((first, options), (image, {"subfiletype": int(is_read)}), (image, {}))
        with tifffile.TiffFile(io.BytesIO(more)) as file:
            tag = file.pages[0].tags["SubIFDs"]
            data = bytearray(more)
            struct.pack_into("<I", data, tag.valueoffset, len(data) + 99)
        np.testing.assert_array_equal(read(io.BytesIO(data), "a").pixels, image)


def raw_files() -> dict[str, bytes]:
    """Small files like those of cameras."""
    sensor = values("L", "16")
    plain = written((values("RGB", "8"), {}))

    def signed(start: bytes) -> bytes:
        return start + plain[len(start) :]

    return {
        "dng": written(thumbnail(below=2), thumbnail(), (sensor, {"photometric": FILTERS})),
        "linear.dng": written(thumbnail(below=1), (values("RGB", "16"), {"photometric": LINEAR})),
        "pef": written((sensor, {"photometric": FILTERS}), thumbnail()),
        "dcr": written(thumbnail(), (sensor, {"photometric": FILTERS})),
        "large-preview.nef": written(
            (values("RGB", "8"), {"subifds": 1}), (sensor, {"photometric": FILTERS})
        ),
        "cr2": signed(plain[:8] + b"CR\2\0"),
        "orf": signed(b"IIRO"),
        "big.orf": signed(b"MMOR"),
        "rw2": signed(b"IIU\0"),
    }


@pytest.mark.parametrize("name", raw_files())
def test_camera_raw(dpid, folder, name):
    path = Path(f"a.{name}" if "." not in name else name)
    path.write_bytes(raw_files()[name])
    result = dpid("downscale", str(path), "-s", "2", "-o", "a.png")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{path}: {RAW}\n")
    Path("in").mkdir()
    path.rename("in/a.tif")
    Path("in/b.tif").write_bytes(written((values("RGB", "8"), {})))
    result = dpid("batch", "in", "out", "-s", "2", "-m", "box", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["failed"] == 1
    assert f"a.tif: {RAW}\n" in result.stderr and len(list(Path("out").iterdir())) == 1


@pytest.mark.parametrize(
    "description",
    ["ImageJ=1.54f\nimages=3\nslices=3\n", '{"shape": [1, 3, 20, 30], "truncated": true}'],
    ids=["ImageJ", "tifffile"],
)
def test_a_stack_with_one_directory(description):
    """Programs that write more than 4 GB do so. Of a single image that kept its description, there is one."""
    stack = np.stack([values("L", "16")] * 3)
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack[0], description=description, metadata=None)
    picture = read(io.BytesIO(stream.getvalue()), "a")
    np.testing.assert_array_equal(picture.pixels, stack[0])
    with pytest.raises(FileError, match=r"it is a stack of 3 images with one directory: save them as pages$"):
        read(io.BytesIO(stream.getvalue() + stack[1:].tobytes()), "a")


def test_a_stack_that_tifffile_writes_with_one_directory():
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.stack([values("L", "8")] * 5), truncate=True)
    with pytest.raises(FileError, match="a stack of 5 images"):
        read(stream, "a")


def test_pages_of_one_colour_plane_each_are_pages():
    """OME-TIFF: its smaller levels lie in SubIFDs, its channels are pages."""
    channels = np.random.default_rng(3).integers(0, 65536, (2, 40, 60), np.uint16)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, ome=True) as file:
        file.write(channels, subifds=1, metadata={"axes": "CYX"})
        file.write(channels[:, ::2, ::2].copy(), subfiletype=1)
    found = [picture.pixels for picture in read_sequence(stream, "a").pictures]
    np.testing.assert_array_equal(found, channels)


@pytest.mark.parametrize("junk", [b"and now for something else", bytes(40), b"", b"\xff" * 40])
def test_what_only_begins_as_a_tiff(dpid, folder, junk):
    for head in b"II*\0", b"MM\0*", b"II+\0", b"MM\0+":
        Path("a.tif").write_bytes(head + junk)
        result = dpid("downscale", "a.tif", "-s", "2")
        assert result.exit_code == 1 and is_one_error_line(result.stderr)
        assert "begins as TIFF" in result.stderr and "struct" not in result.stderr


def test_damage_behind_the_first_page():
    """Whoever asks for the first image alone gets it."""
    data = bytearray(written((values("RGB", "8"), {}), (values("L", "8"), {})))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        struct.pack_into("<H", data, file.pages[1].offset, 65535)
    np.testing.assert_array_equal(read(io.BytesIO(data), "a").pixels, values("RGB", "8"))
    with pytest.raises(FileError, match="damaged"):
        read_sequence(io.BytesIO(data), "a")


def test_directories_without_end():
    """Many SubIFDs, each of which is the largest directory there may be."""
    image = values("L", "8")
    plain = tiff(image, {254: [1], 330: [16] * 900})
    data = plain + struct.pack("<H", 65535) + bytes(12 * 65535)
    with pytest.raises(FileError):
        read(io.BytesIO(data), "a")
    assert Image.open(io.BytesIO(plain)).size == (30, 20)
