"""The words of the library's arguments, for type checkers and editors."""

from __future__ import annotations

from typing import Literal, get_args

MethodName = Literal[
    "dpid", "dpp", "s3dpp", "box", "max", "min", "extremum", "subsample", "mixed", "gated", "lp", "softpool",
    "edscw", "adapool", "idw", "stochastic", "s3pool", "spectral", "nearest", "bilinear", "bicubic",
    "hamming", "lanczos", "matlab-bicubic",
]  # fmt: skip
DifferentiableName = Literal["dpp", "dpid"]
FilterName = Literal["photo", "stars", "text"]
GuidanceName = Literal["gaussian", "box", FilterName]
VariantName = Literal["sym", "asym"]
NormalizeName = Literal["none", "mean"]
FormName = Literal["random", "expected"]
PositionName = Literal["corner", "centre"]
DeviceName = Literal["cpu", "cuda", "auto"]
ObjectiveName = Literal["ssim", "msssim", "l2", "pairs"]
EnlargementName = Literal["bilinear", "bicubic", "both"]
DepthName = Literal["8", "16", "keep"]
TransparencyName = Literal["premultiply", "separate", "drop"]
PaletteName = Literal["expand", "keep"]
MetadataName = Literal["keep", "colour", "strip"]
TruncatedName = Literal["error", "accept"]
FitName = Literal["exact", "inside", "cover", "fill"]
Auto = Literal["auto"]

# Learned guidance that comes with the package, in `dpid_cli/downscaling/data`.
FILTERS: tuple[str, ...] = get_args(FilterName)
