"""Where pixels lie on the earth: the corners of an output are those of the input, by tifffile."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

AREA, POINT = 1, 2
SCALE = (10.0, 7.5, 0.0)
TIEPOINT = (3.0, 5.0, 0.0, 400_000.25, 5_600_000.5, 0.0)
ROTATED = (8.0, -6.0, 0.0, 400_000.0, -6.0, -8.0, 0.0, 5_600_000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
ITEMS = """<GDALMetadata>
  <Item name="AREA_OR_POINT">Area</Item>
  <Item name="STATISTICS_MAXIMUM" sample="0">255</Item>
  <Item name="DESCRIPTION" sample="0" role="description">height</Item>
</GDALMetadata>
"""


def geo_tif(
    name: str,
    pixels: np.ndarray,
    *tags: tuple[Any, ...],
    raster: int = AREA,
    nodata: str = "-9999",
    orientation: int = 1,
    **options: Any,
) -> None:
    keys = (1, 1, 1, 3, 1024, 0, 1, 1, 1025, 0, 1, raster, 3072, 0, 1, 32632)
    texts = ((42112, 2, 0, ITEMS, True), (42113, 2, 0, nodata, True), (34737, 2, 0, "WGS 84|", True))
    own = (*tags, (34735, 3, len(keys), keys, True), (34736, 12, 2, (6378137.0, 298.25), True), *texts)
    extra = (*own, (274, 3, 1, orientation, True))
    tifffile.imwrite(name, pixels, extratags=extra, metadata=None, photometric="minisblack", **options)


SCALED = ((33550, 12, 3, SCALE, True), (33922, 12, 6, TIEPOINT, True))
MATRIX = ((34264, 12, 16, ROTATED, True),)


def on_earth(name: str, column: float, row: float) -> tuple[float, float]:
    """A place of the raster, counted from the corner of the image, by OGC 19-008, 7.1 and B.6."""
    with tifffile.TiffFile(name) as tiff:
        geo = tiff.geotiff_metadata
    if geo["GTRasterTypeGeoKey"] == POINT:
        column, row = column - 0.5, row - 0.5
    if "ModelTransformation" in geo:
        x, y, *_ = np.array(geo["ModelTransformation"]) @ (column, row, 0, 1)
        return x, y
    (across, down, _), (i, j, _, x, y, _) = geo["ModelPixelScale"], geo["ModelTiepoint"]
    return x + (column - i) * across, y - (row - j) * down


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("raster", [AREA, POINT])
@pytest.mark.parametrize("tags", [SCALED, MATRIX], ids=["tiepoint", "matrix"])
@pytest.mark.parametrize("size", [("-s", "4"), ("--width", "17"), ("--size", "50x9", "--fit", "exact")])
def test_corners_stay_where_they_are(dpid, folder, kind, raster, tags, size):
    levels = np.random.default_rng(1).integers(0, 256, (48, 92)).astype(kind)
    geo_tif("a.tif", levels / 256 if kind == "float32" else levels, *tags, raster=raster, byteorder=">")
    if kind == "float32":
        geo_tif("a.tif", (levels / np.float32(256)), *tags, raster=raster, byteorder=">")
    result = dpid("downscale", "a.tif", *size, "-m", "box", "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    height, width = tifffile.imread("b.tif").shape
    for across in 0, 0.5, 1:
        for down in 0, 0.5, 1:
            before = on_earth("a.tif", 92 * across, 48 * down)
            after = on_earth("b.tif", width * across, height * down)
            assert after == pytest.approx(before, abs=2e-9, rel=0)  # two steps of a double of this size


def test_scale_and_keys_by_another_reader(dpid, folder):
    geo_tif("a.tif", np.zeros((48, 92), np.uint8), *SCALED)
    dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif")
    with tifffile.TiffFile("a.tif") as before, tifffile.TiffFile("b.tif") as after:
        assert after.geotiff_metadata["ModelPixelScale"] == [40, 30, 0]
        assert after.geotiff_metadata["ModelTiepoint"] == [0.75, 1.25, *TIEPOINT[2:]]
        one, other = before.pages[0].tags, after.pages[0].tags
        for tag in 34735, 34736, 34737, 42113:
            assert (other[tag].value, other[tag].dtype) == (one[tag].value, one[tag].dtype)
        assert tifffile.xml2dict(other[42112].value) == {
            "GDALMetadata": {
                "Item": [
                    {"name": "AREA_OR_POINT", "value": "Area"},
                    {"name": "DESCRIPTION", "sample": 0, "role": "description", "value": "height"},
                ]
            }
        }


def test_cropping_at_the_end_leaves_the_origin(dpid, folder):
    geo_tif("a.tif", np.zeros((50, 90), np.uint8), *SCALED)
    dpid("batch", "a.tif", "out", "-s", "4", "-m", "box", "--multiple-of", "16", "-j", "1")
    (name,) = map(str, Path("out").glob("*.tif"))
    assert tifffile.imread(name).shape == (12, 20)
    assert on_earth(name, 0, 0) == pytest.approx(on_earth("a.tif", 0, 0), abs=1e-9, rel=0)
    assert on_earth(name, 20, 12) == pytest.approx(on_earth("a.tif", 80, 48), abs=1e-9, rel=0)


def test_rational_polynomials(dpid, folder):
    """Rows and columns are those of centres: (row - offset) / scale stays for every place."""
    values = [0.0] * 92
    values[2:4], values[7:9] = (23.5, 45.5), (24.0, 46.0)  # lines before samples
    geo_tif("a.tif", np.zeros((48, 92), np.uint8), (50844, 12, 92, tuple(values), True))
    dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif")
    with tifffile.TiffFile("b.tif") as tiff:
        found = tiff.pages[0].tags[50844].value
    for place, corner, size in ((2, 48, 12), (3, 92, 23)):
        for share in 0, 0.3, 1:
            before = (share * corner - 0.5 - values[place]) / values[place + 5]
            after = (share * size - 0.5 - found[place]) / found[place + 5]
            assert after == pytest.approx(before, abs=1e-12)


def test_a_turned_map_is_none(dpid, folder):
    geo_tif("a.tif", np.zeros((48, 92), np.uint8), *SCALED, orientation=6)
    result = dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif")
    assert (
        result.stderr
        == "a.tif: no longer valid for the output: georeference, as the image was turned: dropped\n"
    )
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.geotiff_metadata is None and tiff.pages[0].tags[42113].value == "-9999"


@pytest.mark.parametrize(("depth", "is_kept"), [("keep", True), ("8", True), ("16", False)])
def test_nodata_of_other_values(dpid, folder, depth, is_kept):
    geo_tif("a.tif", np.zeros((48, 92), np.uint8), *SCALED, nodata="255")
    result = dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif", "--depth", depth)
    lost = "" if is_kept else "a.tif: no longer valid for the output: nodata value: dropped\n"
    assert (result.exit_code, result.stderr) == (0, lost)
    with tifffile.TiffFile("b.tif") as tiff:
        assert (42113 in tiff.pages[0].tags) == is_kept and tiff.geotiff_metadata


def test_formats_without_maps(dpid, folder):
    geo_tif("a.tif", np.zeros((48, 92), np.uint8), *SCALED)
    result = dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.png")
    assert (result.exit_code, result.stderr) == (0, "b.png: PNG cannot store georeference: dropped\n")
    result = dpid("downscale", "a.tif", "-s", "4", "-o", "c.tif", "--metadata", "colour")
    assert (result.exit_code, result.stderr) == (0, "")
    with tifffile.TiffFile("c.tif") as tiff:
        assert tiff.geotiff_metadata is None


def test_each_page_has_its_own_place(dpid, folder):
    with tifffile.TiffWriter("a.tif") as writer:
        for number in range(2):
            tie = (33922, 12, 6, (0.0, 0.0, 0.0, 100.0 * number, 50.0, 0.0), True)
            writer.write(np.zeros((40, 60), np.uint8), extratags=[SCALED[0], tie], metadata=None)
    assert dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif").stderr == ""
    with tifffile.TiffFile("b.tif") as tiff:
        ties = [page.tags[33922].value[3] for page in tiff.pages]
        scales = [page.tags[33550].value for page in tiff.pages]
    assert (ties, scales) == ([0, 100], [(40, 30, 0)] * 2)


@pytest.mark.parametrize(
    "tags",
    [
        [(33550, 12, 3, (np.nan, 1.0, 0.0), True)],
        [(33550, 12, 1, 1.0, True)],
        [(33922, 12, 5, (0.0,) * 5, True)],
        [(34264, 12, 12, (1.0,) * 12, True)],
        [(33550, 2, 0, "text", True)],
        [(34735, 2, 0, "text", True)],
    ],
)
def test_damaged_places_cost_no_image(dpid, folder, tags):
    tifffile.imwrite("a.tif", np.full((40, 60), 7, np.uint8), extratags=tags, metadata=None)
    result = dpid("downscale", "a.tif", "-s", "4", "-m", "box", "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "a.tif: damaged or too long: georeference: dropped\n")
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.geotiff_metadata is None and (tiff.asarray() == 7).all()
    with Image.open(io.BytesIO(Path("b.tif").read_bytes())) as image:
        assert image.size == (15, 10)
