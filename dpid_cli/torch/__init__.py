"""DPP layers, other poolings and differentiable downscaling for PyTorch (extra ``torch``).

Nothing else in the package imports this; it imports `downscaling`, `kernels` and `errors`.
"""

from __future__ import annotations

try:
    import torch.nn  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "dpid_cli.torch: PyTorch is missing: pip install 'dpid-cli[torch]'", name="torch"
    ) from error

from dpid_cli.torch.detail import (
    AdaptiveDetailPreservingPool2d,
    DetailPreservingPool2d,
    parameter_groups,
)
from dpid_cli.torch.functional import downscale
from dpid_cli.torch.importance import LIPPool2d
from dpid_cli.torch.lifting import LiftPool2d, LiftUnPool2d
from dpid_cli.torch.pooling import (
    AdaPool2d,
    EDSCWPool2d,
    GatedPool2d,
    IDWPool2d,
    LpPool2d,
    MixedPool2d,
    SoftPool2d,
    StochasticPool2d,
)
from dpid_cli.torch.regions import RoIDetailPreservingPool2d, SpatialPyramidPool2d
from dpid_cli.torch.replacing import replace_pooling
from dpid_cli.torch.spatial import S3DetailPreservingPool2d, S3Pool2d
from dpid_cli.torch.spectral import SpectralPool2d
from dpid_cli.torch.transforms import Downscale, RandomDownscale
from dpid_cli.torch.unpooling import AdaUnPool2d

__all__ = [
    "AdaPool2d",
    "AdaUnPool2d",
    "AdaptiveDetailPreservingPool2d",
    "DetailPreservingPool2d",
    "Downscale",
    "EDSCWPool2d",
    "GatedPool2d",
    "IDWPool2d",
    "LIPPool2d",
    "LiftPool2d",
    "LiftUnPool2d",
    "LpPool2d",
    "MixedPool2d",
    "RandomDownscale",
    "RoIDetailPreservingPool2d",
    "S3DetailPreservingPool2d",
    "S3Pool2d",
    "SoftPool2d",
    "SpatialPyramidPool2d",
    "SpectralPool2d",
    "StochasticPool2d",
    "downscale",
    "parameter_groups",
    "replace_pooling",
]
