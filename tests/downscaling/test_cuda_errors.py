"""What is said where no GPU can be used, and that asking for one where there is one costs nothing else."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import dpid_cli
from dpid_cli import METHODS
from dpid_cli.downscaling import devices
from support.command import is_one_error_line

GRAY = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)


@pytest.fixture(autouse=True)
def asked_anew():
    devices.gpu_trouble.cache_clear()
    yield
    devices.gpu_trouble.cache_clear()


@pytest.fixture
def package(monkeypatch):
    """Let numba-cuda be installed, and no simulator be asked for."""
    monkeypatch.setattr(devices, "find_spec", lambda name: object())
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)


def driver(monkeypatch, code, count):
    def devices(found):
        found._obj.value = count
        return 0

    library = SimpleNamespace(cuInit=lambda flags: code, cuDeviceGetCount=devices)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)


def test_the_package_is_missing(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    with pytest.raises(dpid_cli.DpidError) as error:
        dpid_cli.downscale(GRAY, scale=2, device="cuda")
    assert "the package numba-cuda is missing: pip install 'dpid-cli[cuda13]'" in str(error.value)


def test_the_driver_is_missing(monkeypatch, package):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert devices.gpu_trouble() == "no NVIDIA driver is installed: install one, or use device cpu"


@pytest.mark.parametrize(
    ("code", "count", "told"),
    [
        (100, 0, "the NVIDIA driver finds none: see"),
        (0, 0, "the NVIDIA driver finds none: see"),
        (803, 1, "the NVIDIA driver reports error 803: see"),
    ],
)
def test_the_driver_has_no_gpu(monkeypatch, package, code, count, told):
    driver(monkeypatch, code, count)
    assert devices.gpu_trouble().startswith(told)


def test_a_gpu_is_there(monkeypatch, package):
    driver(monkeypatch, 0, 1)
    assert devices.gpu_trouble() is None
    chosen = {name: devices.device_for("auto", method, GRAY) for name, method in METHODS.items()}
    on_gpu = {name for name, device in chosen.items() if device == "cuda"}
    assert on_gpu == {"dpid", "dpp", "box", "max", "min", "extremum"}
    assert devices.device_for("auto", METHODS["dpid"], GRAY / 255) == "cpu"
    assert devices.device_for("cpu", METHODS["dpid"], GRAY) == "cpu"


def test_auto_is_the_cpu_without_a_gpu(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    expected = dpid_cli.downscale(GRAY, scale=2, method="max")
    result = dpid_cli.downscale(GRAY, scale=2, method="max", device="auto")
    np.testing.assert_array_equal(result, expected)


class OnGpu:
    """An array of another library, which tells by DLPack alone where it is."""

    shape, dtype = (8, 8), np.dtype(np.uint8)

    def __init__(self, kind):
        self.kind = kind

    def __dlpack_device__(self):
        return self.kind, 0


def test_arrays_on_gpus_are_known_by_either_protocol():
    assert [kind for kind in range(1, 15) if devices.lies_on_gpu(OnGpu(kind))] == [2, 13]
    assert devices.lies_on_gpu(SimpleNamespace(__cuda_array_interface__={}))
    assert not devices.lies_on_gpu(GRAY) and not devices.lies_on_gpu([[1]])
    with pytest.raises(dpid_cli.DpidError, match="device: the image is in GPU memory"):
        dpid_cli.downscale(OnGpu(2), scale=2)


def test_the_command_says_what_is_missing(photo, dpid, monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    result = dpid("downscale", "missing.png", "-s", "4", "--device", "cuda")
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
    assert result.stderr.startswith(
        "device: no GPU can be used: the package numba-cuda is missing: pip install"
    )
    result = dpid("batch", ".", "out", "-s", "4", "--device", "cuda")
    assert result.exit_code == 2 and "numba-cuda is missing" in result.stderr
    result = dpid("warmup", "--device", "cuda")
    assert result.exit_code == 2 and "numba-cuda is missing" in result.stderr
    assert "none: the package numba-cuda is missing" in dpid("info").stdout
    result = dpid("downscale", "photo.png", "-s", "4", "-m", "max", "--device", "auto", "-o", "out.png")
    assert (result.exit_code, result.stdout) == (0, "out.png\n")


def test_auto_imports_nothing_of_cuda(photo):
    code = """
import sys
from dpid_cli.downscaling import devices
devices.find_spec = lambda name: None
from dpid_cli.cli import main
try:
    main(["downscale", "photo.png", "-s", "4", "-m", "max", "--device", "auto", "-o", "out.png"])
finally:
    print(*(name for name in sys.modules if name.startswith(("cuda.", "numba.cuda", "numba_cuda"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "out.png\n\n"), done.stderr
