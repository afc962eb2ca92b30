"""dpid methods, info, warmup, help: what this installation can do."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping

import click

from dpid_cli.cli.console import printable, say, show_traceback
from dpid_cli.cli.options import DEBUG, device_option, explained, format_option
from dpid_cli.cli.progress import Bar
from dpid_cli.cli.sections import Command, number, option, write_section
from dpid_cli.downscaling.registry import METHODS, PARAMETERS
from dpid_cli.errors import DpidError

_PACKAGES = (
    "dpid-cli", "numpy", "numba", "numba-cuda", "llvmlite", "pillow", "click", "scipy", "scikit-image",
)  # fmt: skip


@click.command(
    "methods",
    cls=Command,
    params=[option("--json", "Print one JSON object per method.", name="as_json"), DEBUG],
)
@click.pass_context
def methods_command(ctx: click.Context, as_json: bool, debug: bool) -> None:
    """List methods and their parameters, with sources and defaults."""
    if as_json:
        for method in METHODS.values():
            defaults = {PARAMETERS[name].label: value for name, value in method.defaults.items()}
            about = {"name": method.name, "summary": method.summary, "source": method.source}
            click.echo(json.dumps(about | {"parameters": defaults}))
        return
    formatter = ctx.make_formatter()
    write_section(formatter, "Methods", [(m.name, f"{m.summary} ({m.source})") for m in METHODS.values()], 11)
    rows = [(f"--{p.label}", "{}  [default: {}]".format(*explained(p))) for p in PARAMETERS.values()]
    write_section(formatter, "Parameters", rows, 11)
    click.echo(formatter.getvalue(), nl=False)


@click.command(
    "info",
    cls=Command,
    params=[
        click.Argument(["inputs"], nargs=-1, metavar="[IMAGE]...", type=click.Path()),
        format_option("the image's", name="format_"),
        option("--frame N", "Describe this frame or page; 0 is the first, -1 the last.", int, shown="0"),
        option("--json", "Print one JSON object per image, or one about the installation.", name="as_json"),
        DEBUG,
    ],
)
@click.pass_context
def info_command(
    ctx: click.Context,
    inputs: tuple[str, ...],
    format_: str | None,
    frame: int | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Show what dpid sees in images, or what the installation can do.

    With IMAGE: size, depth, colours, frames and metadata, and what is lost if a run writes --format. Without:
    versions, file formats, threads, GPU and kernel cache.

    \b
      dpid info photo.jpg
      dpid info photo.tif --format webp
      dpid info --json
    """
    if not inputs:
        if format_ is not None or frame is not None:
            raise click.UsageError("--format, --frame: need an image: give IMAGE, or omit them")
        found = facts()
        click.echo(json.dumps(found)) if as_json else _list(found)
        return
    from dpid_cli.convert.inspection import described, inspected

    failed = False
    for position, source in enumerate(inputs):
        try:
            found_in = inspected(source, format_, frame=frame)
        except DpidError as error:
            if debug:
                show_traceback()
            say(str(error))
            if as_json:
                click.echo(json.dumps({"input": source, "error": str(error)}))
            failed = True
            continue
        if as_json:
            click.echo(json.dumps(found_in))
        else:
            click.echo("\n" * (position > 0), nl=False)
            _list(described(found_in))
    ctx.exit(int(failed))


def _list(found: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, found))
    for name, value in found.items():
        click.echo(f"{name:{width}}  {printable(value)}")


def facts() -> dict[str, str]:
    """Everything that `dpid info` shows, by name."""
    from importlib.util import find_spec

    import dpid_cli.downscaling.api  # noqa: F401  # with its kernels
    from dpid_cli.kernels.cache import shipped_count
    from dpid_cli.kernels.jit import cache_folder
    from dpid_cli.pictures import FORMATS, WRITTEN
    from dpid_cli.platform import cpus

    found = {name: _version(name) for name in _PACKAGES}
    found["python"] = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    lacking = [f for f in FORMATS.values() if find_spec(f.plugin) is None]
    found["reads"] = " ".join(f.name for f in FORMATS.values() if f not in lacking)
    found["writes"] = " ".join(f.name for f in WRITTEN.values() if f not in lacking)
    if lacking:
        found["lacking"] = " ".join(f.name for f in lacking) + ': pip install "dpid-cli[formats]"'
    found["threads"] = str(cpus())
    found["threading layer"] = "Python threads over kernels that release the GIL"
    found["cuda"] = _gpu()
    uncached = "none: no folder that only you can write, so every process compiles its kernels"
    found["kernel cache"] = cache_folder() or uncached
    found["shipped kernels"] = str(shipped_count())
    found["cache variable"] = os.environ.get("DPID_CACHE_DIR", "DPID_CACHE_DIR is not set")
    return found


def _gpu() -> str:
    """The GPU that dpid can use, or why it can use none."""
    from dpid_cli.downscaling.devices import gpu_trouble

    if (trouble := gpu_trouble()) is not None:
        return f"none: {trouble}"
    from dpid_cli.downscaling.gpu.arrays import description

    return description()


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@click.command(
    "warmup",
    cls=Command,
    params=[
        option("-m --method METHOD", "Compile only for this method; may be given again.",
               tuple(METHODS), multiple=True, shown="all"),
        device_option("cpu", "cuda"),
        option("-j --processes N", "Compile in N processes.", number(1), shown="all CPU cores"),
        option("-q --quiet", "Print nothing."),
        DEBUG,
    ],
)  # fmt: skip
def warmup_command(
    method: tuple[str, ...], device: str, processes: int | None, quiet: bool, debug: bool
) -> None:
    """Compile all kernels now, so that later runs start at once.

    Kernels that come with the package need no compiling. The others take minutes where they do not fit the
    CPU. Covers every method, 8 and 16 bits and floats, gray and colour, with and without alpha. The kernels
    are cached on disk; DPID_CACHE_DIR sets the folder.
    """
    from dpid_cli.cli.ahead import compile_others
    from dpid_cli.downscaling.devices import thread_count
    from dpid_cli.downscaling.warmup import cache, cases, compile_all, counts

    folder = cache(device)
    chosen = [case for case in cases(device) if not method or case.method in method]
    count = thread_count(processes) if device == "cpu" else 1  # as processes would share the GPU
    total = Counter[str]()
    with Bar(len(chosen), not quiet) as bar:
        for done, compiled, found in compile_all(chosen, count):
            total += Counter(done=done, compiled=compiled, found=found)
            bar.update(done, f"compiled {total['compiled']}")
    if device != "cpu":
        total["compiled"], total["found"] = counts(device)
    elif not method:
        before = counts(device)
        compile_others()
        for name, earlier, now in zip(("compiled", "found"), before, counts(device), strict=True):
            total[name] += now - earlier
    if not quiet:
        numbers = f"compiled      {total['compiled']}\nfound         {total['found']}"
        click.echo(f"kernel cache  {folder}\n{numbers}")


@click.command("cache", cls=Command, params=[option("--clear", "Remove all cached kernels."), DEBUG])
def cache_command(clear: bool, debug: bool) -> None:
    """Show or empty the cache of compiled kernels.

    The kernels that come with the package are not in the cache. DPID_CACHE_DIR sets the folder.
    """
    from dpid_cli.kernels import cache
    from dpid_cli.kernels.jit import cache_folder

    if clear:
        cache.clear()
    files = cache.contents()
    size = sum(path.stat().st_size for path in files) / 1e6
    click.echo(f"kernel cache  {cache_folder() or 'none: no folder that only you can write'}")
    click.echo(f"kernels       {len(files)}, {size:.1f} MB")
    click.echo(f"shipped       {cache.shipped_count()}")


@click.command("help", cls=Command)
@click.argument("name", required=False, metavar="[COMMAND]")
@click.pass_context
def help_command(ctx: click.Context, name: str | None) -> None:
    """Show this help, or the help of a command."""
    above = ctx.parent
    assert above is not None and isinstance(above.command, click.Group)  # noqa: S101  # a command of the group
    if name is not None:
        _, found, _ = above.command.resolve_command(above, [name])
        assert found is not None  # noqa: S101  # or an error was raised
        above = click.Context(found, above, name)
    click.echo(above.get_help())
