"""Detail-preserving image downscaling: DPID, DPP and the poolings to compare them with.

>>> import numpy as np, dpid_cli
>>> dpid_cli.downscale(np.zeros((600, 400, 3), np.uint8), scale=4).shape
(150, 100, 3)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dpid_cli.downscaling.registry import METHODS
from dpid_cli.errors import ArgumentError, DpidError, DpidWarning, FileError, SizeError
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.batching.api import batch as batch
    from dpid_cli.batching.items import Result as Result
    from dpid_cli.downscaling.api import automatic as automatic
    from dpid_cli.downscaling.api import downscale as downscale
    from dpid_cli.downscaling.conventions import dpid_resize as dpid_resize
    from dpid_cli.downscaling.conventions import rescale as rescale
    from dpid_cli.downscaling.filters import Filter as Filter
    from dpid_cli.downscaling.names import MethodName as MethodName
    from dpid_cli.downscaling.transfer import SRGB as SRGB
    from dpid_cli.downscaling.transfer import Transfer as Transfer
    from dpid_cli.integrations.notebook import show as show
    from dpid_cli.learning.fit import learn as learn
    from dpid_cli.learning.gradients import Gradients as Gradients
    from dpid_cli.learning.gradients import gradients as gradients

__all__ = [
    "METHODS",
    "SRGB",
    "ArgumentError",
    "DpidError",
    "DpidWarning",
    "FileError",
    "Filter",
    "Gradients",
    "MethodName",
    "Result",
    "SizeError",
    "Transfer",
    "__version__",
    "automatic",
    "batch",
    "downscale",
    "dpid_resize",
    "gradients",
    "learn",
    "rescale",
    "show",
]

# Modules that are imported when their names are first used, because they import NumPy or kernels.
_LAZY = {
    "Filter": "downscaling.filters",
    "Gradients": "learning.gradients",
    "MethodName": "downscaling.names",
    "Result": "batching.items",
    "SRGB": "downscaling.transfer",
    "Transfer": "downscaling.transfer",
    "automatic": "downscaling.api",
    "batch": "batching.api",
    "downscale": "downscaling.api",
    "dpid_resize": "downscaling.conventions",
    "gradients": "learning.gradients",
    "learn": "learning.fit",
    "rescale": "downscaling.conventions",
    "show": "integrations.notebook",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"dpid_cli.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
