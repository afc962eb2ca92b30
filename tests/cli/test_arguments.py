"""Every wrong argument is refused by name, with its value and what is allowed."""

from __future__ import annotations

import numpy as np
import pytest

import dpid_cli

IMAGE = np.full((12, 18, 3), 0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image": np.zeros(5)}, ["image", "(5,)"]),
        ({"image": np.zeros((4, 4, 3, 1))}, ["image", "(4, 4, 3, 1)"]),
        ({"image": np.zeros((0, 4))}, ["image", "(0, 4)"]),
        ({"image": np.zeros((4, 4, 0))}, ["image", "(4, 4, 0)"]),
        ({"image": np.zeros((4, 4), complex)}, ["image", "complex128", "np.abs(image)"]),
        ({"image": np.full((4, 4), 2**60)}, ["image", "2**53", "image.astype(np.float64)"]),
        ({"image": np.zeros((4, 4), "datetime64[s]")}, ["image", "datetime64"]),
        ({"channel_axis": 3}, ["channel_axis", "3", "-3 to 2"]),
        ({"image": np.zeros((4, 4)), "channel_axis": 0}, ["channel_axis", "(4, 4)", "three axes"]),
        ({"image": "photo.jpg"}, ["image"]),
        ({"image": np.full((4, 4), np.nan)}, ["image", "NaN"]),
        ({"image": np.array([[0, np.inf], [0, 0]])}, ["image", "infinity"]),
        ({"image": np.full((4, 4), 1e6, np.float32)}, ["image", "1e+06", "[0, 1]"]),
        ({"scale": None}, ["scale", "size"]),
        ({"size": (3, 3)}, ["scale", "size"]),
        ({"scale": 0}, ["scale", "0"]),
        ({"scale": -2}, ["scale", "-2"]),
        ({"scale": 0.5}, ["scale", "0.5", "enlarge"]),
        ({"scale": float("nan")}, ["scale", "nan"]),
        ({"scale": float("inf")}, ["scale", "inf"]),
        ({"scale": "four"}, ["scale", "four"]),
        ({"scale": None, "size": (0, 3)}, ["size", "0"]),
        ({"scale": None, "size": (3, -1)}, ["size", "-1"]),
        ({"scale": None, "size": (19, 3)}, ["size", "19x3", "enlarge", "18x12"]),
        ({"scale": None, "size": (3, 13)}, ["size", "3x13", "enlarge"]),
        ({"scale": None, "size": (3.5, 3)}, ["size", "3.5", "whole"]),
        ({"scale": None, "size": 7}, ["size", "7", "(width, height)"]),
        ({"method": "magic"}, ["method", "magic", "dpid", "lanczos"]),
        ({"method": None}, ["method", "None"]),
        ({"lambda_": -1}, ["lambda", "-1", "0 or more"]),
        ({"lambda_": float("nan")}, ["lambda", "nan"]),
        ({"lambda_": float("inf")}, ["lambda", "inf"]),
        ({"lambda_": "much"}, ["lambda", "much"]),
        ({"lambda_": "1"}, ["lambda", "'1'"]),
        ({"alpha": True}, ["alpha", "True"]),
        ({"alpha": -0.1}, ["alpha", "-0.1", "0 or more"]),
        ({"epsilon": -0.1}, ["epsilon", "-0.1"]),
        ({"method": "dpp", "epsilon": 0}, ["epsilon", "0", "above 0"]),
        ({"variant": "both"}, ["variant", "both", "sym", "asym"]),
        ({"guidance": "median"}, ["guidance", "median", "box", "gaussian"]),
        ({"normalize": "max"}, ["normalize", "max", "none", "mean"]),
        ({"method": "box", "lambda_": 1}, ["lambda", "box", "dpid"]),
        ({"method": "lanczos", "guidance": "box"}, ["guidance", "lanczos"]),
        ({"method": "lp", "power": 0.5}, ["power", "0.5", "1 or more"]),
        ({"method": "mixed", "beta": 1.1}, ["beta", "1.1", "from 0 to 1"]),
        ({"method": "adapool", "beta": -0.1}, ["beta", "-0.1", "from 0 to 1"]),
        ({"method": "stochastic", "seed": -1}, ["seed", "-1", "whole number", "from 0"]),
        ({"method": "stochastic", "seed": 1.5}, ["seed", "1.5", "whole number"]),
        ({"method": "stochastic", "seed": 2**64}, ["seed", str(2**64)]),
        ({"method": "stochastic", "seed": True}, ["seed", "True"]),
        ({"method": "stochastic", "form": "mean"}, ["form", "mean", "random", "expected"]),
        ({"method": "s3pool", "cell": 0}, ["cell", "0", "1 or more"]),
        ({"method": "s3pool", "cell": 3}, ["cell", "3", "multiple of 2"]),
        ({"method": "s3dpp", "epsilon": 0}, ["epsilon", "0", "above 0"]),
        ({"method": "s3dpp", "window": 4}, ["window", "s3dpp", "max"]),
        ({"method": "max", "window": 1}, ["window", "1", "gaps", "2 or more"]),
        ({"method": "max", "window": 2.5}, ["window", "2.5", "whole number"]),
        ({"method": "max", "window": 10**400}, ["window", "whole number"]),
        ({"method": "subsample", "position": "top"}, ["position", "top", "corner", "centre"]),
        ({"method": "gated", "gate": np.zeros((3, 3))}, ["gate", "3x3", "2x2"]),
        ({"method": "mixed", "gate": np.zeros((2, 2))}, ["gate", "mixed", "gated"]),
        ({"method": "spectral", "window": 4}, ["window", "spectral", "max"]),
        ({"alpha": 10**400}, ["alpha", "finite"]),
        ({"threads": 0}, ["threads", "0"]),
        ({"threads": 1.5}, ["threads", "1.5"]),
        ({"device": "tpu"}, ["device", "tpu", "auto", "cpu", "cuda"]),
    ],
)
def test_refused(arguments, words):
    call = {"image": IMAGE, "scale": 2, **arguments}
    with pytest.raises(dpid_cli.DpidError) as caught:
        dpid_cli.downscale(call.pop("image"), **call)
    assert isinstance(caught.value, ValueError)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_registry():
    assert list(dpid_cli.METHODS)[:2] == ["dpid", "dpp"]
    assert {"box", "max", "min", "extremum", "nearest", "lanczos"} <= set(dpid_cli.METHODS)
    with pytest.raises(TypeError):
        dpid_cli.METHODS["dpid"] = None
