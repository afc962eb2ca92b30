"""The keywords of `downscale`, for type checkers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling import names
from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.transfer import Transfer

if TYPE_CHECKING:
    from dpid_cli.downscaling.images import PillowImage


class Parameters(TypedDict, total=False):
    """All keywords but those that say which size the output gets, and which axis has the channels."""

    method: names.MethodName
    lambda_: float | names.Auto | None
    alpha: float | None
    epsilon: float | None
    variant: names.VariantName | None
    guidance: names.GuidanceName | str | os.PathLike[str] | Filter | NDArray[Any] | PillowImage | None
    normalize: names.NormalizeName | None
    noise: float | names.Auto | Sequence[float] | None
    window: int | None
    beta: float | None
    power: float | None
    form: names.FormName | None
    seed: int | None
    cell: int | None
    position: names.PositionName | None
    gate: ArrayLike | str | os.PathLike[str] | Filter | None
    linear: bool | Transfer
    value_range: tuple[float, float] | None
    importance: ArrayLike | PillowImage | None
    threads: int | None
    device: names.DeviceName
    stream: Any


class Options(Parameters, total=False):
    """All keywords."""

    scale: float | None
    size: tuple[int, int] | None
    crop: tuple[float, float, float, float] | None
    channel_axis: int | None
