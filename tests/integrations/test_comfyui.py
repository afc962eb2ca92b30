"""Nodes of ComfyUI: their tensors against the library, and both of its interfaces.

With a checkout of ComfyUI in the environment variable DPID_COMFYUI, its own loader and executor run them;
without, a record of what they ask for stands for them.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from dpid_cli.integrations import comfyui

torch = pytest.importorskip("torch")

CHECKOUT = os.environ.get("DPID_COMFYUI")
NODES = comfyui.NODE_CLASS_MAPPINGS
needs_checkout = pytest.mark.skipif(CHECKOUT is None, reason="DPID_COMFYUI names no checkout of ComfyUI")


def defaults(node: str, **changed: object) -> dict[str, object]:
    """The values that the widgets of a node have at first, but for those that are changed."""
    types = NODES[node].INPUT_TYPES()["required"]
    values = {name: options["default"] for name, (_, options) in types.items() if "default" in options}
    return values | changed


def run(node: str, *, mask: object = None, image: object, **changed: object):
    """Run a node of version 1, as ComfyUI does."""
    cls = NODES[node]
    inputs = {"image": image, **({} if mask is None else {"mask": mask})}
    return getattr(cls(), cls.FUNCTION)(**defaults(node, **changed), **inputs)


def batch(count: int = 3, channels: int = 3, seed: int = 0):
    return torch.from_numpy(np.random.default_rng(seed).random((count, 48, 64, channels), np.float32))


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({}, {"scale": 2}),
        ({"scale": 2.5, "lambda": 0.5, "alpha": 0.25}, {"scale": 2.5, "lambda_": 0.5, "alpha": 0.25}),
        ({"by": "longest side", "longest": 16, "method": "dpp"}, {"size": (16, 12), "method": "dpp"}),
        ({"method": "lanczos", "scale": 3}, {"scale": 3, "method": "lanczos"}),
        ({"method": "box", "scale": 64}, {"scale": 64, "method": "box"}),
    ],
)  # fmt: skip
def test_images_equal_the_library_frame_by_frame(changed, options):
    image = batch()
    result, mask = run("DpidDownscale", image=image, **changed)
    assert result.dtype == torch.float32 and result.device == image.device
    for frame, expected in zip(result.numpy(), image.numpy(), strict=True):
        np.testing.assert_array_equal(frame, dpid_cli.downscale(expected, **options))
    assert mask.shape == result.shape[:3] and not mask.any()


def test_every_method_runs_and_repeats_itself():
    image = batch(1)
    for method in dpid_cli.METHODS:
        first, _ = run("DpidDownscale", image=image, method=method)
        second, _ = run("DpidDownscale", image=image, method=method)
        assert first.shape == (1, 24, 32, 3) and torch.equal(first, second), method


def test_filters_that_overshoot_stay_in_the_range_of_images():
    image = (batch(1) > 0.5).float()
    for factor in 1.0, 4.0:  # what is brighter than white may stay so
        plain = dpid_cli.downscale(
            (image[0] * factor).numpy(), scale=2, method="lanczos", value_range=(0, factor)
        )
        assert plain.min() < 0 and plain.max() > factor
        result, _ = run("DpidDownscale", image=image * factor, method="lanczos")
        np.testing.assert_allclose(result[0].numpy(), plain.clip(0, factor), rtol=0, atol=1e-6)
    assert run("DpidCompare", image=image)[0].max() <= 1


def test_lambda_is_chosen_once_for_all_images():
    image = batch(5) * torch.linspace(0.1, 1, 5).reshape(5, 1, 1, 1)
    found = [dpid_cli.automatic(frame, scale=4, lambda_="auto")["lambda_"] for frame in image.numpy()]
    result, _ = run("DpidDownscale", image=image, scale=4.0, auto_lambda=True)
    for frame, expected in zip(result.numpy(), image.numpy(), strict=True):
        np.testing.assert_array_equal(frame, dpid_cli.downscale(expected, scale=4, lambda_=sorted(found)[2]))


def test_transparent_colours_do_not_count():
    image = batch(1, 4)
    image[..., 3] = (image[..., 3] > 0.5).float()
    other = image.clone()
    other[..., :3][image[..., 3] == 0] = 0.5
    result, _ = run("DpidDownscale", image=image)
    torch.testing.assert_close(result, run("DpidDownscale", image=other)[0])


def test_masks_are_averaged_as_images_are():
    image, mask = batch(2), torch.rand(2, 48, 64)
    _, result = run("DpidDownscale", image=image, mask=mask)
    expected = mask.reshape(2, 24, 2, 32, 2).mean(dim=(2, 4))
    torch.testing.assert_close(result, expected)
    _, single = run("DpidDownscale", image=image, mask=mask[0])
    torch.testing.assert_close(single, expected[:1])


def test_masks_of_another_size_become_as_many_times_smaller():
    """As of images without alpha, for which ComfyUI loads 64 x 64 zeros."""
    _, result = run("DpidDownscale", image=batch(), mask=torch.zeros(1, 64, 64), scale=4.0)
    assert result.shape == (1, 16, 16)


def test_small_images_stay():
    image = batch()
    result, _ = run("DpidDownscale", image=image, by="longest side", longest=1024)
    assert torch.equal(result, image) and result.data_ptr() != image.data_ptr()


def test_comparisons_stand_side_by_side():
    image = batch(2)
    (result,) = run("DpidCompare", image=image, scale=4.0, zoom=3, **{"lambda": 0.5})
    assert result.shape == (2, 36, 3 * 48 + 2 * 8, 3)
    for frame, source in zip(result.numpy(), image.numpy(), strict=True):
        for start, options in ((0, {"method": "box"}), (56, {"method": "lanczos"}), (112, {"lambda_": 0.5})):
            expected = dpid_cli.downscale(source, scale=4, **options).repeat(3, 0).repeat(3, 1)
            np.testing.assert_array_equal(frame[:, start : start + 48], expected)
        assert (frame[:, 48:56] == 1).all() and (frame[:, 104:112] == 1).all()


def test_other_tensors_are_refused():
    for image in (torch.zeros(48, 64, 3), torch.zeros(0, 48, 64, 3)):
        with pytest.raises(dpid_cli.DpidError, match="connect an output of type IMAGE"):
            run("DpidDownscale", image=image)


def test_what_version_1_asks_of_nodes():
    """The contract of custom nodes, as ComfyUI's documentation gives it."""
    titles = {"DpidDownscale": "Downscale (DPID)", "DpidCompare": "Compare downscalers"}
    assert dict(comfyui.NODE_DISPLAY_NAME_MAPPINGS) == titles
    for cls in NODES.values():
        types = cls.INPUT_TYPES()
        assert types.keys() <= {"required", "optional"}
        assert types["required"]["image"] == ("IMAGE", {})
        assert all(kind in ("IMAGE", "MASK") for kind in cls.RETURN_TYPES)
        assert len(cls.RETURN_NAMES) == len(cls.RETURN_TYPES)
        assert (
            cls.CATEGORY == "image/downscaling" and callable(getattr(cls, cls.FUNCTION)) and cls.DESCRIPTION
        )
        for kind, options in (*types["required"].values(), *types.get("optional", {}).values()):
            assert isinstance(kind, list) or kind in ("IMAGE", "MASK", "FLOAT", "INT", "BOOLEAN")
            if isinstance(kind, list):
                assert options["default"] in kind
            elif "min" in options:
                assert options["min"] <= options["default"] <= options["max"]
        json.dumps(types)  # they are sent to browsers
    assert NODES["DpidDownscale"].INPUT_TYPES()["optional"] == {"mask": ("MASK", {})}
    assert NODES["DpidDownscale"].RETURN_TYPES == ("IMAGE", "MASK")


class Recorded:
    """Stands for `comfy_api.latest.io`: keeps what nodes say of themselves."""

    class ComfyNode:
        pass

    Schema = SimpleNamespace

    @staticmethod
    def NodeOutput(*values):  # noqa: N802
        return values

    def __getattr__(self, kind):
        return SimpleNamespace(
            Input=lambda name, **options: (kind, name, options), Output=lambda **options: (kind, options)
        )


def test_what_version_3_is_told(monkeypatch):
    api = SimpleNamespace(io=Recorded(), ComfyExtension=object)
    monkeypatch.setitem(sys.modules, "comfy_api", SimpleNamespace(latest=api))
    monkeypatch.setitem(sys.modules, "comfy_api.latest", api)
    extension = asyncio.run(comfyui.comfy_entrypoint())
    nodes = asyncio.run(extension.get_node_list())
    assert [node.define_schema().node_id for node in nodes] == list(NODES)
    schema = nodes[0].define_schema()
    assert schema.outputs == [("Image", {"display_name": "image"}), ("Mask", {"display_name": "mask"})]
    assert schema.inputs[0] == ("Image", "image", {"optional": False})
    image = batch(1)
    result = nodes[0].execute(image=image, **defaults("DpidDownscale"))
    assert torch.equal(result[0], run("DpidDownscale", image=image)[0])


SCRIPT = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import torch
import nodes
from comfy_api.latest import io

async def load(name):
    assert await nodes.load_custom_node(name, module_parent="custom_nodes")
    return {key: nodes.NODE_CLASS_MAPPINGS[key] for key in ("DpidDownscale", "DpidCompare")}

facts = {}
for name in ("dpid_v3.py", "dpid_v1.py"):
    found = asyncio.run(load(name))
    for key, cls in found.items():
        is_v3 = issubclass(cls, io.ComfyNode)
        image = torch.arange(48 * 64 * 3, dtype=torch.float32).reshape(1, 48, 64, 3) / (48 * 64 * 3)
        types = cls.INPUT_TYPES()
        values = {n: o["default"] for n, (k, o) in types["required"].items() if n != "image"}
        owner = cls.PREPARE_CLASS_CLONE({}) if is_v3 else cls()
        outputs = getattr(owner, cls.FUNCTION)(image=image, **values)
        outputs = outputs.result if is_v3 else outputs
        facts[f"{name}:{key}"] = {
            "v3": is_v3, "returns": list(cls.RETURN_TYPES), "names": list(cls.RETURN_NAMES),
            "category": cls.CATEGORY, "title": nodes.NODE_DISPLAY_NAME_MAPPINGS[key],
            "shapes": [list(output.shape) for output in outputs], "sum": float(outputs[0].sum()),
        }
print(json.dumps(facts))
"""


@needs_checkout
def test_the_own_loader_runs_nodes_of_both_versions(folder):
    names = {"v3": "comfy_entrypoint", "v1": "NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS"}
    for version, imported in names.items():
        Path(f"dpid_{version}.py").write_text(f"from dpid_cli.integrations.comfyui import {imported}\n")
    done = subprocess.run([sys.executable, "-c", SCRIPT, CHECKOUT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    for version in names:
        node = facts[f"dpid_{version}.py:DpidDownscale"]
        assert node["v3"] == (version == "v3")
        assert node["returns"] == ["IMAGE", "MASK"] and node["names"] == ["image", "mask"]
        assert node["category"] == "image/downscaling" and node["title"] == "Downscale (DPID)"
        assert node["shapes"] == [[1, 24, 32, 3], [1, 24, 32]]
        other = facts[f"dpid_{version}.py:DpidCompare"]
        assert other["shapes"] == [[1, 48, 3 * 64 + 16, 3]]
    assert facts["dpid_v1.py:DpidDownscale"]["sum"] == facts["dpid_v3.py:DpidDownscale"]["sum"]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server of ComfyUI for a folder, by its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    main = Path(str(CHECKOUT)) / "main.py"
    command = [sys.executable, "-W", "ignore", main, "--cpu", "--port", str(port)]
    command += ["--base-directory", folder, "--database-url", "sqlite:///:memory:"]
    with (
        Path("server.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as server,
    ):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def answer(address: str, message: object = None) -> dict[str, Any]:
    """The JSON that a server answers with, once it does."""
    data = None if message is None else json.dumps(message).encode()
    for _ in range(600):
        with suppress(ConnectionError, URLError), urlopen(address, data) as response:
            return json.load(response)
        time.sleep(0.2)
    raise AssertionError(Path("server.log").read_text())


@needs_checkout
def test_a_server_runs_a_workflow(folder):
    """As people run it: a file in custom_nodes, and a graph from an image to an image."""
    for name in ("custom_nodes", "input", "output"):
        (folder / name).mkdir()
    line = "from dpid_cli.integrations.comfyui import comfy_entrypoint\n"
    (folder / "custom_nodes" / "dpid.py").write_text(line)
    pixels = np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "input" / "photo.png")
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
        "2": {
            "class_type": "DpidDownscale",
            "inputs": defaults("DpidDownscale", scale=4.0) | {"image": ["1", 0], "mask": ["1", 1]},
        },
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "small"}},
    }
    with served(folder) as address:
        number = answer(f"{address}/prompt", {"prompt": graph})["prompt_id"]
        for _ in range(600):
            if history := answer(f"{address}/history/{number}"):
                break
            time.sleep(0.2)
    assert history[number]["status"]["status_str"] == "success", history
    (path,) = (folder / "output").iterdir()
    expected = dpid_cli.downscale(pixels / np.float32(255), scale=4)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), (255 * expected).clip(0, 255).astype(np.uint8))
