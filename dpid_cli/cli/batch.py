"""dpid batch: folders in, folders out."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.batching import signals
from dpid_cli.cli.console import announce, at_once, on_terminal, printable, say, show
from dpid_cli.cli.options import (
    colour_options,
    device_option,
    encoder_options,
    metadata_options,
    method_options,
    reading_options,
    size_options,
)
from dpid_cli.cli.progress import Progress
from dpid_cli.downscaling.choices import IfSmaller
from dpid_cli.errors import ArgumentError
from dpid_cli.pictures.formats import WRITTEN

if TYPE_CHECKING:
    from dpid_cli.batching.items import Result
    from dpid_cli.batching.selection import Shard
    from dpid_cli.batching.session import Session


def _least_size(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """``256`` or ``640x480`` as width and height."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9})(?:[xX](\d{1,9}))?", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size like 256 or 640x480", ctx, param)
    return int(found[1]), int(found[2] or found[1])


def _part(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    """``3/8`` as the third of eight parts."""
    from dpid_cli.batching.selection import Shard

    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", value)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter(f"{value!r} is no part like 1/8, 2/8 ... 8/8", ctx, param)
    return Shard(int(found[1]), int(found[2]))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let them end the command with one line, wherever nothing is being written."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        with signals.handled(interrupt):
            yield
    except KeyboardInterrupt:
        say("dpid batch: interrupted")
        raise click.exceptions.Exit(130) from None


@click.command("batch", no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True, metavar="[INPUT]... OUTPUT_DIR", type=click.Path())
@click.option(
    "--from-file",
    metavar="LIST|-",
    help="Take the inputs from a list instead: a path a line, or ended by NUL as by 'find -print0'.",
)
@click.option("--root", metavar="DIR", help="Of a list's paths: what results mirror begins below it.")
@click.option("-r", "--recursive", is_flag=True, help="Go into folders; results mirror the tree.")
@click.option(
    "--include",
    multiple=True,
    metavar="GLOB",
    help="Take only what matches, as a path if there is a / in it, else as a name; case does not matter.  "
    "May be given again.  [default: files with the extension of a picture]",
)
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out what matches; folders, too.")
@click.option("--hidden", is_flag=True, help="Take files and folders whose names begin with a dot, too.")
@partial(size_options, several=True)
@click.option(
    "--multiple-of",
    type=click.IntRange(1, 1_000_000),
    default=1,
    metavar="N",
    help="Crop each input, at the right and the bottom, to sides that are multiples of N.",
)
@click.option("--hr", metavar="DIR", help="Write the cropped inputs there, too.")
@click.option(
    "--min-size",
    callback=_least_size,
    metavar="N|WxH",
    help="Least width and height of an input; smaller ones are skipped, unless --if-smaller says otherwise.",
)
@click.option(
    "--if-smaller",
    type=click.Choice(IfSmaller.words()),
    help="What becomes of inputs that the size asked for would enlarge, or that --min-size excludes.  "
    "[default: error, or skip with --min-size]",
)
@partial(method_options, several=True)
@device_option
@click.option(
    "--format", type=click.Choice(list(WRITTEN)), help="File format.  [default: by the name of the result]"
)
@click.option(
    "--name",
    "template",
    default="{stem}{ext}",
    show_default=True,
    metavar="TEMPLATE",
    help="Names of results, of {stem} {ext} {method} {scale} {width} {height}.",
)
@colour_options
@encoder_options
@metadata_options
@reading_options
@click.option("--overwrite", is_flag=True, help="Replace existing results; inputs are never replaced.")
@click.option("--skip-existing", is_flag=True, help="Leave results that exist, whatever they hold.")
@click.option(
    "--report", metavar="FILE.jsonl", help="Write a line of JSON for each input, as soon as it is done."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Skip what --report tells to be done, and do again what has changed since: input, options, version.",
)
@click.option("--checksum", is_flag=True, help="Know inputs by content, not by size and time of change.")
@click.option("--retry-failed", metavar="REPORT", help="Of the inputs, do those that failed in that report.")
@click.option(
    "--shard",
    callback=_part,
    metavar="I/N",
    help="Do the I-th of N parts of the inputs, I from 1; each is in one of them, the same on every machine.",
)
@click.option(
    "--dask",
    metavar="ADDRESS|local",
    help="Work on a cluster: address of a Dask scheduler, or local for processes of this machine.",
)
@click.option(
    "--chunk",
    type=click.IntRange(min=1),
    metavar="N",
    help="The most images that a worker of --dask is given at a time.  [default: 16]",
)
@click.option("-n", "--dry-run", "dry", is_flag=True, help="Tell what would be done, and write nothing.")
@click.option(
    "--processes/--threads",
    default=None,
    help="Work in processes, or in threads of one.  [default: processes from 1000 inputs on]",
)
@click.option(
    "-j",
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images at a time.  [default: all processors]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say of each input what became of it.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
@_interruptible()
def command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Downscale folders of images, on all processors.

    INPUT is a folder, a file, or a pattern like 'photos/**/*.jpg' in quotes. Results have the names of the
    inputs, in the same tree below OUTPUT_DIR; several scales or methods go to folders of their own. One bad
    file never stops the others; results whose names collide are refused before anything is written.

    \b
      dpid batch photos/ small/ -s 4
      dpid batch photos/ web/ -r --longest 1600 --if-smaller copy --format webp
      dpid batch hr/ lr/ -s 2 -s 3 -s 4 --multiple-of 12 --hr cropped/ --format png
      dpid batch photos/ small/ -r -s 4 --report run.jsonl --resume
      dpid batch s3://bucket/photos/ s3://bucket/small/ -r -s 4 --dask tcp://head:8786
    """
    from dpid_cli.kernels import jit

    recursive, listed = options["recursive"], options["from_file"] is not None
    with _session(paths, options) as session:
        session.prepare()
        if not session.inventory.listed and not listed:  # a list may be empty on purpose
            raise ArgumentError(_nothing(paths[:-1], session.inventory.ignored, recursive))
        if not quiet and on_terminal():
            jit.before_compiling(announce)
        dry = session.spec.dry
        with _stopping(quiet) as stop, Progress(session.inventory.count, quiet or dry) as progress:
            for result in session.results(stop):
                progress.add(result)
                if debug and result.trace:
                    show(result.trace)
                # A dry run prints its plan to standard output.
                plan = dry and not as_json and result.status != "failed"
                for line in _lines(result, dry, quiet, verbose):
                    (click.echo if plan else progress.say)(printable(line))
        _summarise(session, progress, stop.is_set(), as_json, quiet)
    ctx.exit(130 if stop.is_set() else 1 if progress.statuses["failed"] else 0)


@contextmanager
def _session(paths: tuple[str, ...], options: dict[str, Any]) -> Iterator[Session]:
    """The batch that the options describe; with --dask, connected to its cluster."""
    from concurrent.futures import ThreadPoolExecutor

    from dpid_cli.batching.processes import Processes
    from dpid_cli.batching.session import Session
    from dpid_cli.cli.batch_request import selections_of, spec_of
    from dpid_cli.files.streams import check_paths

    check_paths("INPUT, OUTPUT_DIR", *paths)
    for name in "from_file", "root", "hr", "report", "retry_failed":
        check_paths(f"--{name.replace('_', '-')}", options[name])
    selections = selections_of(paths[:-1], options)
    running = {name: options.pop(name) for name in ("workers", "report", "resume", "retry_failed", "shard")}
    address, chunk, processes = (options.pop(name) for name in ("dask", "chunk", "processes"))
    if chunk is not None and address is None:
        raise click.UsageError("--chunk: works only with --dask: omit it")
    if processes is not None:
        if address is not None:
            raise click.UsageError("--processes, --threads: --dask has its own workers: omit them")
        running["executor"] = Processes if processes else ThreadPoolExecutor
    spec = spec_of(paths[-1], options).checked()
    with ExitStack() as stack:
        if address is not None:
            from dpid_cli.batching.dask import connected

            cluster = stack.enter_context(connected(address, running["workers"]))
            running |= {"workers": cluster.threads, "executor": lambda workers: cluster}
            running["chunk"] = 16 if chunk is None else chunk
        yield stack.enter_context(Session(spec, selections, **running))


@contextmanager
def _stopping(quiet: bool) -> Iterator[threading.Event]:
    """An event that Ctrl-C and the like set; the second time the process ends at once, with no half file."""
    stop = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        if stop.is_set() and number != signal.SIGHUP:  # which shell and system both send
            at_once("\x1b[?25h\n")  # shows the cursor, which the bar hides
            os._exit(130)  # files in progress have no names yet
        stop.set()
        if not quiet:
            at_once("\r\x1b[Kfinishing the images in progress; press Ctrl-C again to end at once\n")

    with signals.handled(interrupt):
        yield stop


def _lines(result: Result, dry: bool, quiet: bool, verbose: bool) -> Iterator[str]:
    """The lines to print about one input."""
    if not quiet and result.status != "skipped":
        yield from result.warnings
    if result.status == "failed":
        yield str(result.error)
    elif (verbose or dry) and not quiet:
        done = f"{'would write' if dry else 'done'}: {', '.join(result.outputs)}"
        yield f"{result.input}: {done if result.status == 'done' else f'skipped: {result.reason}'}"


def _nothing(inputs: tuple[str, ...], ignored: int, recursive: bool) -> str:
    """Why there is nothing to do."""
    names = ", ".join(inputs)
    if ignored:
        return f"{names}: none of its {ignored} files has the extension of an image: give --include '*'"
    deeper = "" if recursive else ", or -r to include subfolders"
    if any(set("*?[") & set(name) for name in inputs):
        return f"INPUT: no file matches {names}: check the folder and the pattern{deeper}"
    return f"{names}: contains no images: give another folder{deeper}"


def _summarise(session: Session, progress: Progress, interrupted: bool, as_json: bool, quiet: bool) -> None:
    """Print the counts of a run."""
    counts = {status: progress.statuses[status] for status in ("done", "skipped", "failed")}
    inputs, ignored = session.inventory.count, session.inventory.ignored
    left, seconds = inputs - sum(counts.values()), progress.seconds
    if as_json:
        summary = {
            "inputs": inputs,
            **counts,
            "remaining": left,
            "ignored": ignored,
            "megapixels": round(progress.pixels / 1e6, 3),
            "seconds": round(seconds, 3),
            "interrupted": interrupted,
            "dry_run": session.spec.dry,
        }
        click.echo(json.dumps(summary))
        return
    if quiet:
        return
    parts = [f"{'would convert' if session.spec.dry else 'done'} {counts['done']}"]
    parts += [f"{status} {counts[status]}" for status in ("skipped", "failed")]
    parts += [f"not begun {left}"] * (left > 0) + [f"not images {ignored}"] * (ignored > 0)
    rate = f"{sum(counts.values()) / max(seconds, 1e-6):.1f} files/s, {progress.megapixels_a_second:.1f} MP/s"
    parts += [f"in {seconds:.1f} s ({rate})"] * (not session.spec.dry) + ["interrupted"] * interrupted
    click.echo(", ".join(parts))
