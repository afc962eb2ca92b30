"""JPEGs that a thread decodes while modules are imported: the same images and the same errors."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from dpid_cli.pictures import MAX_PIXELS, read
from dpid_cli.pictures.prefetch import lent, prefetched

ORIENTATION = 0x112


@pytest.fixture
def shades() -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, 90), np.linspace(0, 255, 70))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


def described(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x13B] = "Ada"
    return exif


KINDS = {
    "colour": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "turned": {"exif": described(6)},
    "profile": {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
    "comment": {"comment": b"a note", "dpi": (300, 300)},
}


def both(path) -> tuple:
    """What is read of a file with and without a thread that decodes it before."""
    with path.open("rb") as stream:
        usual = read(stream, "photo")
    # Only the beginning of the file is there, so the image must be the one from the thread.
    stream = io.BytesIO(path.read_bytes()[:64])
    with lent(prefetched(str(path), MAX_PIXELS), stream):
        return read(stream, "photo"), usual


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_image_of_the_thread_is_the_same(folder, shades, mode, kind):
    options = KINDS[kind] if mode == "RGB" else {k: v for k, v in KINDS[kind].items() if k != "icc_profile"}
    shades.convert(mode).save("photo.jpg", **options)
    early, usual = both(folder / "photo.jpg")
    np.testing.assert_array_equal(early.pixels, usual.pixels)
    assert (early.metadata, early.icc_profile) == (usual.metadata, usual.icc_profile)
    assert (early.orientation, early.format, early.mode) == (usual.orientation, "jpeg", usual.mode)
    if mode != "CMYK":
        with Image.open("photo.jpg") as image:
            turned = image.transpose(Image.Transpose.ROTATE_270) if kind == "turned" else image
            np.testing.assert_array_equal(early.pixels, np.asarray(turned))


def test_the_first_of_several_images(folder, shades):
    shades.save("stereo.mpo", save_all=True, append_images=[shades.rotate(180)])
    early, usual = both(folder / "stereo.mpo")
    np.testing.assert_array_equal(early.pixels, usual.pixels)


def test_an_image_is_taken_once(folder, shades):
    shades.save("photo.jpg")
    stream = io.BytesIO((folder / "photo.jpg").read_bytes())
    with lent(prefetched("photo.jpg", MAX_PIXELS), stream):
        first, second = read(stream, "photo"), read(stream, "photo")
    assert not np.shares_memory(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_an_image_that_is_not_taken_is_forgotten(folder, shades):
    shades.save("photo.jpg")
    other = shades.rotate(180)
    stream = io.BytesIO()
    other.save(stream, "PNG")
    with lent(prefetched("photo.jpg", MAX_PIXELS), stream):
        pass
    np.testing.assert_array_equal(read(stream, "other").pixels, np.asarray(other))


@pytest.mark.parametrize("what", ["truncated", "empty", "damaged", "missing", "folder", "png", "12 bits"])
def test_whatever_cannot_be_decoded_is_left_to_reading(folder, shades, what):
    shades.save("photo.jpg")
    data = (folder / "photo.jpg").read_bytes()
    frame = data.index(b"\xff\xc0")
    contents = {
        "truncated": data[: len(data) // 2],
        "empty": b"",
        "damaged": data[:3] + bytes(200),
        "12 bits": data[: frame + 4] + b"\x0c" + data[frame + 5 :],
    }
    if what in contents:
        (folder / "photo.jpg").write_bytes(contents[what])
    elif what == "png":
        shades.save("photo.jpg", "PNG")
    else:
        (folder / "photo.jpg").unlink()
        if what == "folder":
            (folder / "photo.jpg").mkdir()
    assert prefetched("photo.jpg", MAX_PIXELS)() is None


def test_larger_images_are_not_decoded(folder, shades):
    shades.save("photo.jpg")
    assert prefetched("photo.jpg", 90 * 70)() is not None
    assert prefetched("photo.jpg", 90 * 70 - 1)() is None


def test_the_command_writes_the_same_file_from_standard_input(dpid, folder, shades):
    shades.save("photo.jpg", exif=described(6))
    options = ("-s", "2", "-m", "box", "--format", "png")
    from_file = dpid("downscale", "photo.jpg", *options, "-o", "-")
    from_input = dpid("downscale", "-", *options, stdin=(folder / "photo.jpg").read_bytes())
    assert from_file.stdout_bytes == from_input.stdout_bytes
    with Image.open(io.BytesIO(from_file.stdout_bytes)) as image:
        assert image.size == (35, 45)


def test_the_command_names_what_is_wrong_once(dpid, folder, shades):
    shades.save("photo.jpg")
    data = (folder / "photo.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) * 3 // 4])
    done = dpid("downscale", "cut.jpg", "-s", "2")
    assert done.exit_code == 1
    assert done.stderr.startswith("cut.jpg: damaged or truncated image: ") and done.stderr.count("\n") == 1
    done = dpid("downscale", "cut.jpg", "photo.jpg", "-s", "2", "-m", "box", "--truncated", "accept")
    assert done.exit_code == 0
    assert done.stderr == "cut.jpg: damaged or truncated image: missing pixels are blank\n"
