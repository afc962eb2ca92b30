"""The floors of the house, read from the source of the package."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

import dpid_cli

ROOT = Path(dpid_cli.__file__).parent
# From the ground up. Packages on one floor do not import each other.
FLOORS = (
    ("errors", "platform", "version"),
    ("interrupts",),
    ("kernels", "files"),
    ("downscaling", "pictures"),
    ("convert",),
    ("batching", "compare", "learning", "video"),
    ("torch", "integrations"),
    ("cli",),
    ("__init__", "__main__"),
)
HEIGHT = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


TREES = {name_of(path): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}


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


def without_type_checking(tree: ast.AST):
    """All nodes but those that only type checkers see."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


IMPORTS = {module: imported(ast.walk(tree)) for module, tree in TREES.items()}
# Of modules of the package, lazy imports too.
USED = {
    module: {name for name in imported(without_type_checking(tree)) if name in TREES and name != module}
    for module, tree in TREES.items()
}


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def importers(package: str) -> set[str]:
    return {module for module, names in IMPORTS.items() if any(within(name, package) for name in names)}


def floor(module: str) -> tuple[int, str]:
    """Its height, and the entry of the package to which it belongs."""
    entry = module.split(".")[1] if "." in module else "__init__"
    return HEIGHT[entry], entry


@cache
def chain(module: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The longest chain of imports from a module down."""
    assert module not in above, f"a cycle: {' -> '.join([*above, module])}"
    # A package's own file is passed through by every import of what lies in it.
    below = [name for name in USED[module] if not module.startswith(name + ".") and name != "dpid_cli"]
    chains = [chain(name, (*above, module)) for name in below]
    return (module, *max(chains, key=len, default=()))


def test_entries():
    entries = {path.name for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    entries -= {"__init__.py", "__main__.py"}
    assert len(entries) <= 16  # the last ones for videos, and for other programs
    assert {entry.removesuffix(".py") for entry in entries} <= set(HEIGHT)


@pytest.mark.parametrize("module", TREES)
def test_arrows_go_down(module):
    height, entry = floor(module)
    for name in IMPORTS[module] & set(TREES):
        below, other = floor(name)
        assert other == entry or below < height, f"{module} imports {name}"


def test_chains_are_short_and_have_no_cycles():
    longest = max((chain(module) for module in TREES), key=len)
    assert len(longest) <= 13, " -> ".join(longest)


@pytest.mark.parametrize("module", TREES)
def test_modules_and_functions_are_short(module):
    path = ROOT.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert len(path.read_text().splitlines()) <= 400
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 60, f"{node.name}: {lines} lines"


def test_only_the_command_imports_click():
    assert all(within(module, "dpid_cli.cli") for module in importers("click"))


def test_only_the_compilers_import_numba():
    assert importers("numba") == {"dpid_cli.kernels.compiler", "dpid_cli.kernels.cuda.target"}
    assert importers("cuda") == {"dpid_cli.kernels.cuda.target"}


def test_kernels_for_gpus_are_reached_through_one_package():
    kernels = "dpid_cli.kernels.cuda"
    users = {module for module in importers(kernels) if not within(module, kernels)}
    assert users and all(within(module, "dpid_cli.downscaling.gpu") for module in users)


def test_only_the_code_cache_touches_files():
    users = {module for module in importers("pathlib") if within(module, "dpid_cli.kernels")}
    assert users == {"dpid_cli.kernels.cache"}


@pytest.mark.parametrize("module", [module for module in TREES if within(module, "dpid_cli.kernels")])
def test_kernels_stand_alone(module):
    library = set(sys.stdlib_module_names) - {"subprocess", "socket"}
    allowed = (
        "dpid_cli.kernels",
        "dpid_cli.interrupts",
        "dpid_cli.platform",
        "numpy",
        "numba",
        "llvmlite",
        "cuda",
        *library,
    )
    outside = {name for name in IMPORTS[module] if not within(name, *allowed)}
    assert outside - {"dpid_cli"} == set()


def test_only_pictures_reference_filters_and_images_know_pillow_and_codecs():
    users = importers("PIL") | importers("imagecodecs") | importers("tifffile")
    assert {module for module in users if not within(module, "dpid_cli.pictures")} == {
        "dpid_cli.downscaling.images",
        "dpid_cli.downscaling.methods.resample",
    }


def test_only_learning_and_metrics_import_scipy():
    users = importers("scipy")
    assert all(within(module, "dpid_cli.learning", "dpid_cli.compare.metrics") for module in users)
    assert importers("skimage") == set()  # the tests compare with it


def test_pytorch_stays_in_its_package_which_no_other_imports():
    inside = {module for module in TREES if within(module, "dpid_cli.torch")}
    assert inside and importers("torch") | importers("torchvision") <= inside
    assert importers("dpid_cli.torch") <= inside
    below = {name.split(".")[1] for module in inside for name in USED[module] if name != "dpid_cli"}
    assert below <= {"torch", "downscaling", "kernels", "errors"}


def test_only_the_drawing_imports_matplotlib():
    assert importers("matplotlib") == {"dpid_cli.compare.drawing"}


@pytest.mark.parametrize("package", ["dpid_cli.batching", "dpid_cli.convert"])
def test_storage_alone_touches_files(package):
    touching = ("os.path", "pathlib.Path", "tempfile")
    users = {module for module in TREES if within(module, package) and IMPORTS[module] & set(touching)}
    assert users <= {"dpid_cli.batching.scratch", "dpid_cli.convert.job"}


@pytest.mark.parametrize("module", ["dpid_cli.errors", "dpid_cli.cli.console", "dpid_cli.downscaling.sizes"])
def test_light_modules(module):
    assert not any(within(name, "numpy", "numba", "PIL", "scipy", "skimage") for name in IMPORTS[module])


def test_the_package_imports_little():
    own = imported(TREES["dpid_cli"].body) & set(TREES)
    assert own == {"dpid_cli.errors", "dpid_cli.downscaling.registry", "dpid_cli.version"}


def test_only_their_modules_import_what_reaches_other_machines():
    assert importers("distributed") == {"dpid_cli.batching.dask"}
    assert importers("fsspec") == {"dpid_cli.files.remote", "dpid_cli.files.sftp"}
    assert importers("paramiko") == {"dpid_cli.files.sftp"}


def test_other_programs_are_imported_in_their_modules_which_no_other_imports():
    inside = {module for module in TREES if within(module, "dpid_cli.integrations")}
    assert importers("vapoursynth") == {"dpid_cli.integrations.vapoursynth"}
    assert importers("comfy_api") == {"dpid_cli.integrations.comfyui"}
    assert importers("IPython") == {"dpid_cli.integrations.notebook"}
    assert importers("dpid_cli.integrations") <= inside | {"dpid_cli"}


def test_only_the_video_package_imports_pyav():
    inside = {module for module in TREES if within(module, "dpid_cli.video")}
    assert importers("av") and importers("av") <= inside
