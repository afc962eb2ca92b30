"""Compare results of a GPU, or of Numba's simulator, with those of the CPU.

`test_cuda_device.py` imports these tests; `test_cuda_simulator.py` runs them in a process of its own.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0"
if SIMULATED:
    from support import simulator

    simulator.install()

import dpid_cli  # noqa: E402
from dpid_cli import Filter  # noqa: E402
from dpid_cli.cli import main  # noqa: E402
from dpid_cli.downscaling import devices, warmup  # noqa: E402
from dpid_cli.downscaling.filters import over_pixels  # noqa: E402

if devices.gpu_trouble() is not None:
    pytest.skip(f"no GPU can be used: {devices.gpu_trouble()}", allow_module_level=True)

from dpid_cli.downscaling.gpu import arrays, launch  # noqa: E402
from dpid_cli.kernels.cuda import target  # noqa: E402
from dpid_cli.kernels.cuda.target import cuda  # noqa: E402
from dpid_cli.kernels.cuda.teams import BLOCK, Team  # noqa: E402


def picture(dtype, shape, seed=0, packed=False):
    """Noise with flat parts and single bright pixels; `packed` are three of four numbers a pixel."""
    rng = np.random.default_rng(seed)
    values = rng.random((*shape[:2], 4))
    values[: shape[0] // 3] = values[: shape[0] // 3] * 0.05 + 0.4
    values[-4:, -5:] = 0.25
    values[2:3, 3:4] = 1
    unit = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    image = (np.rint(values * unit) if unit > 1 else values).astype(dtype)
    channels = shape[2] if len(shape) == 3 else 1
    image = image[..., :channels] if packed else np.ascontiguousarray(image[..., :channels])
    return image if len(shape) == 3 else image[..., 0]


def close(found, expected):
    """Within one level, for 16 bits of the 8 that are seen, or 1e-5."""
    assert found.dtype == expected.dtype and found.shape == expected.shape
    difference = np.abs(found.astype(np.float64) - expected)
    assert difference.max() <= {"uint8": 1, "uint16": 2}.get(found.dtype.name, 1e-5)
    if found.dtype == np.uint8:
        assert (difference > 0).mean() <= 0.01 or difference.sum() <= 1


def assert_same(image, size, **options):
    found = dpid_cli.downscale(image, size=size, device="cuda", **options)
    close(found, dpid_cli.downscale(image, size=size, device="cpu", **options))


COLOUR, GRAY = (8, 10, 3), (9, 8)
FILTER = Filter([[0, 0.3, 0], [0.1, 0.4, -0.1], [0.2, 0, 0.1]], bias=0.02)
OF_CHANNELS = Filter(np.random.default_rng(0).random((3, 3, 3)) / 9, bias=(0, 0.1, 0.05))
OF_EACH_KIND = pytest.mark.parametrize(
    ("dtype", "shape", "packed"),
    [
        ("uint8", COLOUR, False),
        ("uint8", COLOUR, True),
        ("uint16", (6, 7, 4), False),
        ("float32", GRAY, False),
    ],
)


@pytest.mark.parametrize("method", ["dpid", "dpp", "box", "max", "min", "extremum"])
@OF_EACH_KIND
def test_methods(dtype, shape, packed, method):
    assert_same(picture(dtype, shape, packed=packed), (4, 3), method=method)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_channels(dtype, channels):
    assert_same(picture(dtype, (6, 11, channels)), (3, 2), method="dpid")


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("dpid", {"lambda_": 0}),
        ("dpid", {"lambda_": 0.7}),
        ("dpid", {"lambda_": 2, "variant": "asym"}),
        ("dpid", {"lambda_": 64}),
        ("dpid", {"lambda_": 1e6}),
        ("dpid", {"alpha": 0.1, "epsilon": 0.05, "guidance": "box"}),
        ("dpid", {"alpha": 1e30}),
        ("dpid", {"lambda_": 8, "alpha": 0.1, "normalize": "mean"}),
        ("dpp", {"alpha": 0.1, "guidance": "gaussian", "variant": "asym"}),
        ("dpp", {"lambda_": 2.3, "alpha": 0.5, "normalize": "mean"}),
        ("dpp", {"lambda_": 64, "alpha": 1e-3}),
        ("dpid", {"noise": 0.1}),
        ("dpid", {"noise": (0.05, 0.0, 0.2), "lambda_": 8}),
        ("dpp", {"noise": (0.05, 0.0, 0.2), "variant": "asym", "alpha": 0.1}),
        ("dpp", {"noise": "auto", "lambda_": "auto"}),
        ("dpid", {"guidance": "photo"}),
        ("dpid", {"guidance": FILTER, "alpha": 0.2}),
        ("dpp", {"guidance": OF_CHANNELS}),
        ("box", {"window": 7}),
        ("max", {"window": 5}),
        ("extremum", {"window": 6}),
    ],
)
def test_parameters(method, parameters):
    assert_same(picture("uint8", COLOUR, seed=1), (4, 3), method=method, **parameters)


ROOT = dpid_cli.Transfer(lambda x: np.abs(x) ** 1.5, lambda x: np.abs(x) ** (1 / 1.5), separable=False)


@pytest.mark.parametrize("method", ["dpid", "dpp", "box", "max"])
@OF_EACH_KIND
def test_linear_light(dtype, shape, packed, method):
    for linear in True, ROOT:
        assert_same(picture(dtype, shape, packed=packed), (4, 3), method=method, linear=linear)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("dpid", {"lambda_": 0.7, "alpha": 0.1, "guidance": "box"}),
        ("dpid", {"lambda_": 64, "alpha": 1e-3}),
        ("dpid", {"lambda_": 8, "alpha": 0.1, "normalize": "mean"}),
        ("dpid", {"noise": 0.1}),
        ("dpid", {"guidance": OF_CHANNELS, "alpha": 0.2, "variant": "asym"}),
        ("dpid", {"guidance": Filter(np.zeros((3, 3)), bias=0.99), "variant": "asym"}),  # no weights
        ("dpp", {"guidance": over_pixels(2, "zero"), "epsilon": 0.05}),
        ("dpp", {"lambda_": 2.3, "alpha": 0.5, "normalize": "mean"}),
        ("box", {"window": 7}),
    ],
)
def test_parameters_in_linear_light(method, parameters):
    for dtype in "uint8", "float32":
        assert_same(picture(dtype, (8, 10, 3), seed=1), (5, 4), method=method, linear=True, **parameters)


def test_light_of_images_on_the_gpu_is_refused():
    for device in "cuda", "auto":
        with pytest.raises(dpid_cli.DpidError, match=r"^linear: not available for images in GPU memory"):
            dpid_cli.downscale(cuda.to_device(picture("uint8", COLOUR)), scale=2, linear=True, device=device)


@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
def test_filters_over_pixels(padding):
    filter_ = over_pixels(3, padding)
    for image in (picture("uint8", (6, 9, 3), packed=True), picture("float32", (9, 6))):
        assert_same(image, (image.shape[1] // 3, len(image) // 3), guidance=filter_, alpha=0.1)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1), (1, 1)),
        ((1, 23, 3), (7, 1)),
        ((23, 1, 3), (1, 7)),
        ((2, 2, 4), (1, 1)),
        ((4, 9, 3), (8, 3)),
        ((4, 90), (40, 2)),
        ((64, 18, 3), (2, 1)),  # two warps for each window
        ((70, 20), (1, 1)),  # four warps
        ((3, 300), (2, 1)),  # a row by many turns of a warp
    ],
)
def test_shapes(shape, size):
    assert_same(picture("uint8", shape, seed=2), size)
    if size[1] == 1:
        assert_same(picture("uint8", shape, seed=2), size, method="extremum")
        assert_same(picture("float32", shape, seed=3), size, method="dpp", lambda_=5, alpha=0.1)


def test_teams_fit_into_blocks_and_cover_every_window():
    for windows in (1, 50, 10_000, 10_000_000):
        for width in (1, 2, 3, 5, 8, 9, 33, 200):
            for height in (1, 4, 40, 4000):
                team = Team.of(windows, width, height)
                assert team.columns == 1 << team.column_bits
                assert team.columns * team.rows == 1 << team.bits <= BLOCK
                assert team.columns <= width and team.rows <= height
                for columns in (1, 3, 1000):
                    (across, rows), block = team.launch(7, columns)
                    assert rows == 7 and block % 32 == 0 and team.columns * team.rows <= block <= BLOCK
                    assert (across - 1) * block < columns << int(team.bits) <= across * block


@pytest.mark.parametrize("linear", [True, ROOT])
@pytest.mark.parametrize("alpha", [0, 0.1])
def test_strips_change_no_light(monkeypatch, alpha, linear):
    image = picture("uint8", (10, 8, 3), seed=4)
    options = {"size": (4, 5), "device": "cuda", "alpha": alpha, "linear": linear}
    whole = dpid_cli.downscale(image, **options)
    monkeypatch.setattr(launch, "STRIP_BYTES", image.nbytes // 3)
    np.testing.assert_array_equal(dpid_cli.downscale(image, **options), whole)


@pytest.mark.parametrize("parameters", [{}, {"guidance": "box"}, {"guidance": over_pixels(2)}])
def test_strips_change_no_bit(monkeypatch, parameters):
    image = picture("uint8", (10, 8, 3), seed=4)
    whole = dpid_cli.downscale(image, size=(4, 5), device="cuda", **parameters)
    monkeypatch.setattr(launch, "STRIP_BYTES", image.nbytes // 3)
    np.testing.assert_array_equal(dpid_cli.downscale(image, size=(4, 5), device="cuda", **parameters), whole)
    monkeypatch.setattr(launch, "STRIP_ROWS", 2)
    on_gpu = cuda.to_device(image)
    result = dpid_cli.downscale(on_gpu, size=(4, 5), device="cuda", **parameters)
    np.testing.assert_array_equal(result.copy_to_host(), whole)


class Elsewhere:
    """An array of another library on the GPU."""

    def __init__(self, array, stream=None):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        if SIMULATED:
            self.__cuda_array_interface__ = array.__array_interface__ | {"stream": stream}
        else:
            self.array = cuda.to_device(array)
            self.__cuda_array_interface__ = self.array.__cuda_array_interface__ | {"stream": stream}


@pytest.mark.parametrize(
    ("shape", "dtype", "device"),
    [
        ((4, 9), "uint8", "cuda"),
        ((4, 9, 3), "uint8", "auto"),
        ((4, 9, 4), "uint8", "cuda"),
        ((4, 9, 3), "uint16", "cuda"),
        ((4, 9), "float32", "auto"),
    ],
)
def test_arrays_on_the_gpu_stay_there(shape, dtype, device):
    image = picture(dtype, shape, seed=5)
    result = dpid_cli.downscale(Elsewhere(image), size=(3, 2), device=device)
    assert devices.lies_on_gpu(result) and result.shape == (2, 3, *shape[2:])
    close(result.copy_to_host(), dpid_cli.downscale(image, size=(3, 2)))


def test_the_same_size_is_a_copy_on_the_gpu():
    image = picture("uint8", (5, 6, 4))
    original = Elsewhere(image)
    result = dpid_cli.downscale(original, scale=1, device="cuda")
    np.testing.assert_array_equal(result.copy_to_host(), image)
    assert result is not original.array


def test_work_is_queued_on_the_stream_that_is_asked_for(monkeypatch):
    seen, waited = [], []

    class Stream:
        def __init__(self, address):
            self.handle = address

        def synchronize(self):
            waited.append(self.handle)

    monkeypatch.setattr(cuda, "external_stream", Stream)
    monkeypatch.setattr(launch, "fill", lambda out, method, strip, parameters: seen.append(strip.stream))
    monkeypatch.setattr(cuda, "device_array", lambda shape, dtype, stream: np.zeros(shape, dtype))
    own = Elsewhere(picture("uint8", (8, 8)), stream=7)
    dpid_cli.downscale(own, scale=2, device="cuda")
    assert seen.pop().handle == 7 and not waited
    dpid_cli.downscale(own, scale=2, device="cuda", stream=11)
    assert seen.pop().handle == 11 and waited == [7]

    class Protocol:
        def __cuda_stream__(self):
            return 0, 13

    dpid_cli.downscale(Elsewhere(picture("uint8", (8, 8))), scale=2, device="cuda", stream=Protocol())
    assert seen.pop().handle == 13 and waited == [7]
    dpid_cli.downscale(Elsewhere(picture("uint8", (8, 8))), scale=2, device="cuda")
    assert seen.pop() == 0


@pytest.mark.parametrize(
    ("image", "options", "told"),
    [
        (np.zeros((8, 8)), {"device": "cuda"}, "device: float64 is not available on the GPU"),
        (np.zeros((8, 8), np.uint8), {"device": "cuda", "method": "lp"}, "device: lp .*device cpu"),
        (
            np.zeros((8, 8), np.uint8),
            {"device": "cuda", "stream": 1},
            "stream: is for images in GPU memory only",
        ),
    ],
)
def test_errors_of_arrays(image, options, told):
    with pytest.raises(dpid_cli.DpidError, match=told):
        dpid_cli.downscale(image, scale=2, **options)


def test_arrays_that_only_dlpack_shares(monkeypatch):
    class Shared:
        def __init__(self, array, kind=2):
            self.array, self.kind = array, kind
            self.shape, self.dtype = array.shape, array.dtype

        def __dlpack_device__(self):
            return self.kind, 0

    image, asked = picture("uint8", (8, 8, 3)), []

    def from_dlpack(shared, stream):
        asked.append(stream)
        return cuda.to_device(shared.array)

    monkeypatch.setattr(arrays, "from_dlpack", from_dlpack)
    result = dpid_cli.downscale(Shared(image), scale=2, device="cuda")
    close(result.copy_to_host(), dpid_cli.downscale(image, scale=2))
    assert asked == [1]  # DLPack's number of the default stream
    monkeypatch.undo()
    if SIMULATED:  # where arrays of the computer's memory are the GPU's, too
        view = target.from_dlpack(image, -1)
        np.testing.assert_array_equal(view.copy_to_host(), image)


def test_errors_of_arrays_on_the_gpu():
    image = Elsewhere(picture("uint8", (8, 8)))
    with pytest.raises(dpid_cli.DpidError, match="device: the image is in GPU memory"):
        dpid_cli.downscale(image, scale=2)
    with pytest.raises(dpid_cli.DpidError, match="more than 4 channels run on the CPU only"):
        dpid_cli.downscale(Elsewhere(np.zeros((8, 8, 5), np.uint8)), scale=2, device="cuda")
    with pytest.raises(dpid_cli.DpidError, match="image: the array on the GPU is not contiguous: give"):
        dpid_cli.downscale(cuda.to_device(np.zeros((8, 9), np.uint8))[:, :8], scale=2, device="cuda")


def test_auto_takes_the_gpu_where_it_can(monkeypatch):
    done = []
    monkeypatch.setattr(launch, "downscale", lambda out, *rest: done.append(rest[2]))
    image = np.zeros((8, 8), np.uint8)
    for method, dtype in (("dpid", "uint8"), ("lp", "uint8"), ("dpid", "float64"), ("max", "float32")):
        dpid_cli.downscale(image.astype(dtype), scale=2, method=method, device="auto")
    assert done == ["dpid", "max"]


def test_a_gpu_without_memory_is_told(monkeypatch):
    def full(*_):
        raise MemoryError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY]")

    monkeypatch.setattr(launch, "fill", full)
    with pytest.raises(dpid_cli.DpidError, match="device: the GPU is out of memory: use"):
        dpid_cli.downscale(np.zeros((8, 8), np.uint8), scale=2, device="cuda")
    monkeypatch.undo()
    assert_same(picture("uint8", (8, 8)), (4, 4))  # nothing is left of the failed call


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture("uint8", (12, 16, 3))).save("photo.png")
    results = []
    for device in ("cpu", "cuda", "auto"):
        with pytest.raises(SystemExit) as done:
            main(["downscale", "photo.png", "-s", "4", "--device", device, "-o", f"{device}.png"])
        assert done.value.code == 0, capsys.readouterr().err
        results.append(np.asarray(Image.open(f"{device}.png")))
    close(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[1])
    with pytest.raises(SystemExit) as done:
        main(["downscale", "photo.png", "-s", "4", "--device", "cuda", "-m", "lp", "-o", "lp.png"])
    assert done.value.code == 2 and not Path("lp.png").exists()
    assert "device: lp " in capsys.readouterr().err


def test_info_and_warmup(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        main(["info"])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("cuda "))
    assert "none" not in line and ("simulated" in line or "compute capability" in line)
    every = warmup.cases("cuda")
    assert len({str(case) for case in every}) == len(every) == 12 * (2 * (5 + 5 + 2) + 3)
    monkeypatch.setattr(warmup, "cases", lambda device: every[:2])
    with pytest.raises(SystemExit) as done:
        main(["warmup", "--device", "cuda"])
    assert done.value.code == 0
    assert "cuda-" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.skipif(SIMULATED, reason="the simulator runs one kernel at a time")
def test_threads_change_no_bit():
    images = [picture("uint8", (300, 400, 3), seed=seed) for seed in range(8)]
    expected = [dpid_cli.downscale(image, scale=3.3, device="cuda") for image in images]
    found = [None] * len(images)

    def work(first):
        for k in range(first, len(images), 2):
            found[k] = dpid_cli.downscale(images[k], scale=3.3, device="cuda")

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(result, same)
