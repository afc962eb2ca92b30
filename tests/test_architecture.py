"""The import arrows of the package, read from its source."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import dpid_cli

ROOT = Path(dpid_cli.__file__).parent


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def imported(nodes) -> set[str]:
    """Full names of everything that these statements import; absolute imports only."""
    found = set()
    for node in nodes:
        match node:
            case ast.Import(names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module, names, 0):
                found |= {f"{module}.{alias.name}" for alias in names} | {module}
            case ast.ImportFrom():
                raise AssertionError("relative import")
    return found - {"__future__", "__future__.annotations"}


TREES = {name_of(path): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
IMPORTS = {module: imported(ast.walk(tree)) for module, tree in TREES.items()}


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def importers(package: str) -> set[str]:
    return {module for module, names in IMPORTS.items() if any(within(name, package) for name in names)}


def test_the_source_was_found():
    assert {"dpid_cli", "dpid_cli.kernels.windows", "dpid_cli.cli.downscale"} <= set(IMPORTS)
    assert "numpy" in IMPORTS["dpid_cli.grid"]


def test_nobody_imports_the_command():
    assert all(within(module, "dpid_cli.cli") for module in importers("dpid_cli.cli") | importers("click"))


def test_only_the_compilers_import_numba():
    assert importers("numba") == {"dpid_cli.kernels.compiler", "dpid_cli.kernels.cuda.target"}
    assert importers("cuda") == {"dpid_cli.kernels.cuda.target"}


def test_gpus_are_reached_through_one_room_when_one_is_used():
    kernels = "dpid_cli.kernels.cuda"
    assert {module for module in importers(kernels) if not within(module, kernels)} == {"dpid_cli.gpu"}
    asking = {"dpid_cli.cli.downscale", "dpid_cli.info", "dpid_cli.pipeline", "dpid_cli.warmup"}
    assert importers("dpid_cli.gpu") <= asking
    for module in asking:
        assert not any(within(name, "dpid_cli.gpu") for name in imported(TREES[module].body)), module


def test_only_the_code_cache_touches_files():
    users = {module for module in importers("pathlib") if within(module, "dpid_cli.kernels")}
    assert users == {"dpid_cli.kernels.cache"}


@pytest.mark.parametrize("module", [module for module in IMPORTS if within(module, "dpid_cli.kernels")])
def test_kernels_stand_alone(module):
    library = set(sys.stdlib_module_names) - {"subprocess", "socket"}
    allowed = ("dpid_cli.kernels", "numpy", "numba", "llvmlite", "cuda", *library)
    outside = {name for name in IMPORTS[module] if not within(name, *allowed)}
    assert outside - {"dpid_cli"} == set()


def test_only_pictures_and_reference_filters_know_codecs():
    users = importers("PIL") | importers("imagecodecs") | importers("tifffile")
    assert {module for module in users if not within(module, "dpid_cli.pictures")} == {
        "dpid_cli.methods.resample"
    }


def test_only_files_are_pictures():
    users = {module for module in importers("dpid_cli.pictures") if not within(module, "dpid_cli.pictures")}
    outside = {module for module in users if not within(module, "dpid_cli.batching", "dpid_cli.compare")}
    below = {"folders", "info", "job", "lesson", "recipe", "rendering"}
    assert outside == {f"dpid_cli.{module}" for module in below}


@pytest.mark.parametrize("module", [module for module in IMPORTS if within(module, "dpid_cli.pictures")])
def test_pictures_know_nothing_of_what_is_done_to_them(module):
    own = {name for name in IMPORTS[module] if name in IMPORTS}
    assert all(within(name, "dpid_cli.pictures", "dpid_cli.errors") for name in own)


def test_only_learning_and_metrics_import_scipy_and_scikit_image():
    users = importers("scipy") | importers("skimage")
    assert users == {"dpid_cli.learning", "dpid_cli.objectives", "dpid_cli.compare.metrics"}


def test_only_the_drawing_imports_matplotlib():
    assert importers("matplotlib") == {"dpid_cli.compare.drawing"}


def test_nothing_below_comparing_imports_it():
    users = {module for module in importers("dpid_cli.compare") if not within(module, "dpid_cli.compare")}
    assert users == {"dpid_cli.cli.compare"}


@pytest.mark.parametrize("room", ["variants", "metrics", "regions", "intensities", "layout"])
def test_what_is_computed_of_a_comparison_knows_no_files(room):
    names = IMPORTS[f"dpid_cli.compare.{room}"]
    assert not {
        name for name in names if within(name, "pathlib", "dpid_cli.files.targets", "dpid_cli.files.streams")
    }


@pytest.mark.parametrize("room", ["derivatives", "examples", "learning", "objectives"])
def test_learning_knows_no_files(room):
    below = ("dpid_cli.pictures", "dpid_cli.job", "dpid_cli.lesson", "dpid_cli.files.targets")
    assert not {name for name in IMPORTS[f"dpid_cli.{room}"] if within(name, *below)}


def test_nothing_below_learning_imports_it():
    users = importers("dpid_cli.learning") | importers("dpid_cli.lesson") | importers("dpid_cli.objectives")
    assert users == {"dpid_cli", "dpid_cli.learning", "dpid_cli.lesson", "dpid_cli.cli.learn"}


def test_nothing_below_batches_imports_them():
    users = {module for module in importers("dpid_cli.batching") if not within(module, "dpid_cli.batching")}
    assert users == {"dpid_cli", "dpid_cli.cli.batch", "dpid_cli.cli.progress"}


@pytest.mark.parametrize("room", ["inventory", "order", "patterns", "runner", "template", "work"])
def test_batches_touch_files_through_places(room):
    touching = ("os.path", "pathlib.Path", "tempfile", "dpid_cli.files.targets", "dpid_cli.files.streams")
    assert not {name for name in IMPORTS[f"dpid_cli.batching.{room}"] if within(name, *touching)}


def test_methods_do_not_look_up():
    above = (
        "dpid_cli.backends",
        "dpid_cli.pipeline",
        "dpid_cli.job",
        "dpid_cli.pictures",
        "dpid_cli.files.targets",
    )
    for module, names in IMPORTS.items():
        if within(module, "dpid_cli.methods", "dpid_cli.grid", "dpid_cli.guidance", "dpid_cli.raster"):
            assert not {name for name in names if within(name, *above)}, module


@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("dpid_cli.errors", set()),
        ("dpid_cli.pictures.containers", set()),
        ("dpid_cli.sizes", {"dpid_cli.errors"}),
        ("dpid_cli.methods", {"dpid_cli.errors"}),
        ("dpid_cli.cli.console", set()),
    ],
)
def test_light_modules(module, own):
    names = IMPORTS[module]
    assert {name for name in names if name in IMPORTS} == own
    assert not any(within(name, "numpy", "numba", "PIL", "scipy", "skimage") for name in names)


def test_the_package_imports_only_errors_and_methods():
    assert imported(TREES["dpid_cli"].body) & set(IMPORTS) == {
        "dpid_cli.errors",
        "dpid_cli.methods",
        "dpid_cli.version",
    }


def test_only_their_rooms_import_what_reaches_other_machines():
    assert importers("distributed") == {"dpid_cli.batching.cluster"}
    assert importers("fsspec") == {"dpid_cli.files.remote", "dpid_cli.files.sftp"}
    assert importers("paramiko") == {"dpid_cli.files.sftp"}
