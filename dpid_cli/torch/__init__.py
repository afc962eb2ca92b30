"""DPP layers, other poolings and differentiable downscaling for PyTorch (extra ``torch``).

Nothing else in the package imports this; it imports `downscaling` and `errors`.
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
from dpid_cli.torch.spatial import S3DetailPreservingPool2d, S3Pool2d

__all__ = [
    "AdaPool2d",
    "AdaptiveDetailPreservingPool2d",
    "DetailPreservingPool2d",
    "EDSCWPool2d",
    "GatedPool2d",
    "IDWPool2d",
    "LpPool2d",
    "MixedPool2d",
    "S3DetailPreservingPool2d",
    "S3Pool2d",
    "SoftPool2d",
    "StochasticPool2d",
    "downscale",
    "parameter_groups",
]
