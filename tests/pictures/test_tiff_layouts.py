"""TIFFs of generated layouts: the pixels are those that were written, and every loss is said."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from dpid_cli.errors import DpidWarning, FileError
from dpid_cli.pictures import read, read_sequence, read_size
from support import strategies  # noqa: F401  settings
from support.tiff_layouts import SIZE, layouts, shown, written


@settings(max_examples=400)
@given(layout=layouts())
def test_layouts(layout):
    data, stored = written(layout)
    if layout.refusal:
        with pytest.raises(FileError, match=f"^a: (page 0: )?{layout.refusal}"):
            list(read_sequence(io.BytesIO(data), "a").pictures)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sequence = read_sequence(io.BytesIO(data), "a")
        pictures = list(sequence.pictures)
        first = read(io.BytesIO(data), "a")
    assert len(pictures) == len(stored)
    for picture, pixels in zip([*pictures, first], [*stored, stored[0]], strict=True):
        expected, alpha = shown(layout, pixels)
        assert picture.alpha == alpha and picture.pixels.dtype == expected.dtype
        if layout.is_exact:
            np.testing.assert_array_equal(picture.pixels, expected)
        else:
            np.testing.assert_allclose(picture.pixels, expected, atol=9)
    assert read_size(io.BytesIO(data), "a") == SIZE[::-1]
    said = {str(warning.message).partition(": ")[2].removeprefix("page 0: ") for warning in caught}
    assert all(issubclass(warning.category, DpidWarning) for warning in caught)
    dropped = layout.channels - layout.colours - alpha
    assert any(f"{layout.channels} channels: only" in line for line in said) == (dropped > 0)
    assert any("64-bit floats" in line for line in said) == (layout.dtype == "float64")
