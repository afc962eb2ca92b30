"""Nodes for ComfyUI: "Downscale (DPID)" and "Compare downscalers".

Nodes are described once, for both interfaces: `comfy_entrypoint` is that of version 3,
`NODE_CLASS_MAPPINGS` and `NODE_DISPLAY_NAME_MAPPINGS` are those of version 1. Tensors are converted by their
own methods, so nothing here imports PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dpid_cli.compare.intensities import enlarged
from dpid_cli.convert.rendering import downscale_picture, rendered
from dpid_cli.downscaling.api import downscale
from dpid_cli.downscaling.automatic import is_automatic
from dpid_cli.downscaling.planes import medians, spread
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.sizes import Size, SizeRequest, half_up
from dpid_cli.errors import ArgumentError
from dpid_cli.pictures import Picture

Frames = list[NDArray[np.float32]]

_CATEGORY = "image/downscaling"
_BY = ("scale", "longest side")
_COMPARED = ("box", "lanczos", "dpid")
_WITH_ALPHA = (2, 4)  # channels
_GAP = 8  # white columns between images that are compared


class Tensor(Protocol):
    """What is used of PyTorch's tensors."""

    def new_tensor(self, data: NDArray[Any]) -> Tensor:
        """A copy of an array, of the type and on the device of this tensor."""

    def detach(self) -> Any:
        """The same values without gradients."""


@dataclass(frozen=True)
class _Input:
    """An input of a node: its name, type and what else ComfyUI needs to know."""

    name: str
    type: str  # as version 3 calls it
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False

    def of_version_1(self) -> tuple[Any, dict[str, Any]]:
        options = dict(self.options)
        words = options.pop("options", None)
        return self.type.upper() if words is None else words, options


@dataclass(frozen=True)
class _Node:
    """A node for both interfaces."""

    name: str
    title: str
    description: str
    inputs: tuple[_Input, ...]
    outputs: Mapping[str, str]  # titles and types
    run: Callable[..., tuple[Any, ...]]

    def of_version_1(self) -> type:
        """The class that old versions of ComfyUI expect."""
        types: dict[str, dict[str, Any]] = {"required": {}}
        for one in self.inputs:
            types.setdefault("optional" if one.optional else "required", {})[one.name] = one.of_version_1()
        members = {
            "INPUT_TYPES": classmethod(lambda cls: types),
            "RETURN_TYPES": tuple(kind.upper() for kind in self.outputs.values()),
            "RETURN_NAMES": tuple(self.outputs),
            "FUNCTION": "execute",
            "CATEGORY": _CATEGORY,
            "DESCRIPTION": self.description,
            "execute": staticmethod(self.run),
        }
        return type(self.name, (), members)

    def of_version_3(self, io: Any) -> type:
        """The class for ``comfy_api.latest.io``."""

        def define_schema(_: type) -> Any:
            return io.Schema(
                node_id=self.name,
                display_name=self.title,
                category=_CATEGORY,
                description=self.description,
                inputs=[
                    getattr(io, one.type).Input(one.name, optional=one.optional, **one.options)
                    for one in self.inputs
                ],
                outputs=[
                    getattr(io, kind).Output(display_name=title) for title, kind in self.outputs.items()
                ],
            )

        def execute(_: type, /, **values: Any) -> Any:
            return io.NodeOutput(*self.run(**values))

        members = {"define_schema": classmethod(define_schema), "execute": classmethod(execute)}
        return type(self.name, (io.ComfyNode,), members)


def _downscaled(image: Tensor, mask: Tensor | None = None, **settings: Any) -> tuple[Tensor, Tensor]:
    """The images of a batch, and their masks by the box filter."""
    frames = _frames(image)
    source, size = _sizes(frames, settings)
    method = settings["method"]
    options = _options(method, settings)
    if is_automatic(options):  # once for all, so that the strength does not jump
        options |= medians(
            rendered(_picture(frames[number]), size, method=method, **options)[1]
            for number in spread(len(frames))
        )
    results = [_smaller(frame, size, method, options) for frame in frames]
    if mask is None:
        masks = [np.zeros(size[::-1], np.float32)] * len(frames)
    else:
        masks = [_mask(each, source, size) for each in _array(mask, (2, 3), "mask")]
    return image.new_tensor(np.stack(results)), image.new_tensor(np.stack(masks))


def _compared(image: Tensor, **settings: Any) -> tuple[Tensor]:
    """Every image by the box filter, by Lanczos and by DPID, from left to right."""
    frames = _frames(image)
    _, size = _sizes(frames, settings)
    rows = []
    for frame in frames:
        parts: Frames = []
        for method in _COMPARED:
            result = _smaller(frame, size, method, _options(method, settings))
            parts.append(enlarged(result, settings["zoom"]))
        gap = np.ones((parts[0].shape[0], _GAP, frame.shape[2]), np.float32)
        rows.append(np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1))
    return (image.new_tensor(np.stack(rows)),)


def _array(tensor: Any, dimensions: tuple[int, ...], name: str) -> NDArray[np.float32]:
    """The values of a tensor, with a batch in front."""
    values = np.asarray(tensor.detach().float().cpu().numpy())
    if values.ndim not in dimensions or not values.size:
        raise ArgumentError(f"{name}: has the shape {values.shape}: connect an output of type {name.upper()}")
    return values if values.ndim == max(dimensions) else values[np.newaxis]


def _frames(image: Tensor) -> Frames:
    return list(_array(image, (4,), "image"))


def _picture(frame: NDArray[np.float32]) -> Picture:
    """An image of a batch; where it has alpha, transparent colours do not count."""
    return Picture(frame, frame.shape[2] in _WITH_ALPHA, None)


def _smaller(frame: NDArray[Any], size: Size, method: str, options: Mapping[str, Any]) -> NDArray[Any]:
    """An image of a batch, downscaled; where filters overshoot, other nodes would let values wrap around."""
    result = downscale_picture(_picture(frame), size, method=method, **options).pixels
    return result.clip(min(0, frame.min()), max(1, frame.max()))


def _sizes(frames: Frames, settings: Mapping[str, Any]) -> tuple[Size, Size]:
    """Width and height before and after."""
    height, width = frames[0].shape[:2]
    if settings["by"] == _BY[0]:
        request = SizeRequest("scale", settings["scale"])
    else:  # smaller images stay as they are
        request = SizeRequest("longest", min(settings["longest"], max(width, height)))
    return (width, height), request.of((width, height))


def _options(method: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the method has, of those that the node has."""
    values = {"alpha": settings.get("alpha", 0.0)}
    values["lambda_"] = "auto" if settings.get("auto_lambda") else settings["lambda"]
    return {name: value for name, value in values.items() if name in method_named(method).defaults}


def _mask(mask: NDArray[np.float32], source: Size, size: Size) -> NDArray[np.float32]:
    """A mask, as many times smaller as the image, whose size it may not have."""
    height, width = mask.shape
    sides = (width, source[0], size[0]), (height, source[1], size[1])
    columns, rows = (half_up(side * after / before) for side, before, after in sides)
    return downscale(mask, size=(columns, rows), method="box")


_SIZE = (
    _Input("image", "Image"),
    _Input("by", "Combo", {"options": list(_BY), "default": _BY[0], "tooltip": "How to give the size."}),
    _Input("scale", "Float", {
        "default": 2.0, "min": 1.0, "max": 64.0, "step": 0.05,
        "tooltip": "How many times smaller each side becomes, for by: scale.",
    }),
    _Input("longest", "Int", {
        "default": 1024, "min": 1, "max": 16384,
        "tooltip": "Longest side in pixels, for by: longest side. Smaller images stay as they are.",
    }),
)  # fmt: skip
_LAMBDA = _Input("lambda", "Float", {
    "default": 1.0, "min": 0.0, "max": 8.0, "step": 0.05,
    "tooltip": "How much details count, for methods such as dpid and dpp. 0 is the box filter.",
})  # fmt: skip
_NODES = (
    _Node(
        "DpidDownscale",
        "Downscale (DPID)",
        "Downscale images so that small details survive. Masks are downscaled by the box filter.",
        (
            *_SIZE,
            _Input("method", "Combo", {"options": list(METHODS), "default": "dpid"}),
            _LAMBDA,
            _Input("auto_lambda", "Boolean", {
                "default": False,
                "tooltip": "Choose lambda by scale and contrast, once for all images of a batch.",
            }),
            _Input("alpha", "Float", {
                "default": 0.0, "min": 0.0, "max": 8.0, "step": 0.01,
                "tooltip": "Added to every pixel's weight; larger values move the result towards box.",
            }),
            _Input("mask", "Mask", optional=True),
        ),
        {"image": "Image", "mask": "Mask"},
        _downscaled,
    ),
    _Node(
        "DpidCompare",
        "Compare downscalers",
        "Downscale images by box, Lanczos and DPID, and put them side by side in this order.",
        (
            *_SIZE,
            _LAMBDA,
            _Input("zoom", "Int", {
                "default": 2, "min": 1, "max": 16, "tooltip": "How often each pixel is repeated.",
            }),
        ),
        {"box | lanczos | dpid": "Image"},
        _compared,
    ),
)  # fmt: skip

NODE_CLASS_MAPPINGS: Mapping[str, type] = {node.name: node.of_version_1() for node in _NODES}
NODE_DISPLAY_NAME_MAPPINGS: Mapping[str, str] = {node.name: node.title for node in _NODES}


async def comfy_entrypoint() -> Any:
    """The extension for version 3 of ComfyUI's interface."""
    from comfy_api.latest import ComfyExtension, io

    class Extension(ComfyExtension):  # type: ignore[misc]
        async def get_node_list(self) -> list[type]:
            return [node.of_version_3(io) for node in _NODES]

    return Extension()
