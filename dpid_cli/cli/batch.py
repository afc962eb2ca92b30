"""dpid batch and dpid pairs: folders in, folders out."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.batching import signals
from dpid_cli.cli import options as shared
from dpid_cli.cli.console import (
    announce,
    at_once,
    echo,
    printable,
    say,
    show_traceback,
    without_linear_algebra,
)
from dpid_cli.cli.progress import Existing, Progress
from dpid_cli.cli.sections import Command, least_size, number, option, sections, wrong
from dpid_cli.downscaling.choices import Device, FolderLayout, IfSmaller
from dpid_cli.errors import ArgumentError, collected
from dpid_cli.platform import HANGUP

if TYPE_CHECKING:
    from dpid_cli.batching.items import Result
    from dpid_cli.batching.selection import Shard
    from dpid_cli.batching.session import Session
    from dpid_cli.batching.spec import BatchSpec

    MakeSpec = Callable[[str, dict[str, Any]], BatchSpec]

_COMPLETE = (0, 1)  # exit codes of runs that were not interrupted


def _shard(text: str) -> Shard:
    """Read ``3/8`` as the third of eight parts."""
    from dpid_cli.batching.selection import Shard

    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise wrong(text, "a part like 1/8, 2/8 ... 8/8")
    return Shard(int(match[1]), int(match[2]))


@contextmanager
def _interruptible(command: str) -> Iterator[None]:
    """Let signals end the command with one line while nothing is being written."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        with signals.handled(interrupt):
            yield
    except KeyboardInterrupt:
        say(f"{command}: interrupted")
        raise click.exceptions.Exit(130) from None


_PATHS = click.Argument(
    ["paths"], nargs=-1, required=True, metavar="[INPUT]... OUTPUT_DIR", type=click.Path()
)
# What batch and pairs have in common.
_INPUTS = sections(
    "Inputs",
    option("--include GLOB", "Take only files that match: by name, or by path if GLOB has a /. Case does "
           "not matter.", multiple=True, shown="image files"),
    option("--exclude GLOB", "Skip matching files and folders.", multiple=True),
    option("--hidden", "Include files and folders whose names begin with a dot."),
    option("--from-file LIST|-", "Read the inputs from a file or standard input, one per line or ended "
           "by NUL ('find -print0')."),
    option("--root DIR", "With --from-file: mirror paths relative to DIR."),
    option("--retry-failed REPORT", "Take only the inputs that failed in this report."),
    option("--shard I/N", "Take only part I of N, from 1. Each input is in exactly one part, the same on "
           "every machine.", _shard),
)  # fmt: skip
_RUNNING = sections(
    "Running",
    shared.DRY_RUN,
    option("--report FILE.jsonl", "Write one line of JSON per input as soon as it is done."),
    option("--resume", "Skip inputs that --report lists as done; redo those whose input, options or "
           "version changed."),
    option("--checksum", "Detect changed inputs by checksum instead of size and modification time."),
    shared.device_option(*Device.words()),
    option("-j --workers N", "Downscale N images at a time.", number(1), shown="all CPU cores"),
    option("--processes/--threads", "Run the workers as processes, or as threads of one process.",
           default=None, shown="processes from 1000 inputs on"),
    option("--dask ADDRESS|local", "Run on a Dask cluster: the scheduler's address, or local for "
           "processes on this machine."),
    option("--chunk N", "With --dask: give a worker at most N images at a time.", number(1), shown="16"),
    option("--json", "Print the summary as one JSON object.", name="as_json"),
    shared.QUIET,
    option("-v --verbose", "Print what happened to each input."),
    shared.DEBUG,
)  # fmt: skip
_BATCH = sections(
    _PATHS,
    "Inputs",
    option("-r --recursive", "Include subfolders; the output mirrors their tree."),
    *_INPUTS,
    option("--min-size N|WxH", "Skip narrower or lower inputs, unless --if-smaller says otherwise.",
           least_size),
    option("--if-smaller", "What to do with inputs smaller than the requested size or --min-size.",
           IfSmaller.words(), shown="copy; skip with --min-size"),
    *shared.size_options(several=True),
    "Size",
    option("--multiple-of N", "Crop each input at the right and the bottom to multiples of N pixels.",
           number(1, 1_000_000), default=1),
    *shared.method_options(several=True),
    "Output",
    *shared.name_options("{stem}{ext}"),
    shared.format_option("by the output's name"),
    option("--hr DIR", "Also write the cropped inputs to DIR."),
    shared.OVERWRITE,
    option("--skip-existing", "Keep existing outputs, whatever they contain."),
    *shared.RECIPE,
    *_RUNNING,
)  # fmt: skip


_PAIRS = sections(
    _PATHS,
    "Inputs",
    option("-r --recursive", "Include subfolders. All outputs lie in one folder: a/b.png becomes a_b.png."),
    *_INPUTS,
    option("--min-size N|WxH", "Skip narrower or lower inputs.", least_size),
    option("--if-smaller", "What to do with inputs that are smaller than --min-size or --patches.",
           (IfSmaller.SKIP.value, IfSmaller.ERROR.value), default=IfSmaller.SKIP.value),
    "Size",
    option("-s --scale N", "Divide width and height by N, a whole number.", number(1, 64), multiple=True,
           required=True),
    option("--multiple-of N", "Crop each input at the right and the bottom to multiples of N pixels.",
           number(1, 1_000_000), shown="what all scales divide"),
    option("--patches N", "Cut originals into squares of N pixels, and outputs likewise.", number(1)),
    option("--step N", "With --patches: place a square every N pixels.", number(1),
           shown="half of --patches"),
    option("--threshold N", "With --patches: add squares that end with the image if more than N pixels "
           "remain.", number(0), shown="0"),
    *shared.method_options(several=True),
    "Method",
    option("--degradations FILE", "Draw method, lambda, noise and JPEG artefacts for each image, as this "
           "YAML file says."),
    "Output",
    option("--layout", "Name folders as this trainer does.", FolderLayout.words(),
           default=FolderLayout.BASICSR.value),
    option("--meta-info FILE.txt", "List the originals with their shapes: 0001_s001.png (480,480,3)."),
    shared.format_option("", default="png"),
    shared.OVERWRITE,
    *shared.COLOUR,
    *shared.VALUE_RANGE,
    *shared.ENCODING,
    *shared.METADATA,
    *shared.INPUT_LIMITS,
    *_RUNNING,
)  # fmt: skip


@click.command("batch", cls=Command, params=_BATCH, no_args_is_help=True)
@click.pass_context
@_interruptible("dpid batch")
def batch_command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Downscale folders of images, on all CPU cores.

    INPUT is a folder, a file, or a quoted pattern like 'photos/**/*.jpg'. Outputs keep the names of the
    inputs, in the same tree in OUTPUT_DIR; several scales or methods get a folder each. One bad file never
    stops the others. If names of outputs collide, nothing is written.

    \b
      dpid batch photos/ small/ -s 4
      dpid batch photos/ web/ -r --longest 1600 --format webp
      dpid batch hr/ lr/ -s 2 -s 4 --multiple-of 4 --hr cropped/ --format png
      dpid batch photos/ small/ -r -s 4 --report run.jsonl --resume
      dpid batch s3://in/photos/ s3://out/ -r -s 4 --dask tcp://head:8786
    """
    without_linear_algebra()
    from dpid_cli.cli.batch_request import spec_of

    ctx.exit(_run(paths, options, spec_of, as_json=as_json, quiet=quiet, verbose=verbose, debug=debug))


@click.command("pairs", cls=Command, params=_PAIRS, no_args_is_help=True)
@click.pass_context
@_interruptible("dpid pairs")
def pairs_command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    meta_info: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **options: Any,
) -> None:
    """Make pairs of images for super-resolution training.

    Crops each original, downscales it, and writes both below OUTPUT_DIR in the folders of a trainer, whole or
    as sub-images. Everything else is as in 'dpid batch'.

    \b
      dpid pairs photos/ data/ -r -s 2 -s 4
      dpid pairs photos/ data/ -s 4 --patches 480 --meta-info data/meta_info.txt
      dpid pairs photos/ data/ -s 4 --layout neosr -m matlab-bicubic
      dpid pairs photos/ data/ -s 4 --layout trainner --degradations recipe.yaml
    """
    without_linear_algebra()
    from dpid_cli.cli.batch_request import listing_of, pairs_spec_of

    dry = options["dry"]
    with listing_of(meta_info, options) as listing:
        code = _run(
            paths, options, pairs_spec_of, None if listing is None else listing.add,
            as_json=as_json, quiet=quiet, verbose=verbose, debug=debug,
        )  # fmt: skip
        if listing is not None and code in _COMPLETE and not dry:
            with collected() as warnings:
                listing.write()
            for warning in () if quiet else warnings:
                say(warning)
    ctx.exit(code)


def _run(
    paths: tuple[str, ...],
    options: dict[str, Any],
    spec_of: MakeSpec,
    observe: Callable[[Result], None] | None = None,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> int:
    """Run what `spec_of` makes of the output folder and the options, and return the exit code.

    `observe` gets every result.
    """
    from dpid_cli.kernels import jit

    recursive, listed = options["recursive"], options["from_file"] is not None
    can_keep = "skip_existing" in options
    with _session(paths, options, spec_of) as session:
        session.prepare()
        if not session.inventory.listed and not listed:  # a list may be empty on purpose
            raise ArgumentError(_nothing(paths[:-1], session.inventory.ignored, recursive))
        jit.report_to(None if quiet else announce)
        keep = ", or --skip-existing to keep them" if can_keep else ""
        dry, existing = session.spec.dry, Existing(f"use --overwrite{keep}")
        with _stopping(quiet) as stop, Progress(session.inventory.count, quiet or dry) as progress:
            for result in session.results(stop):
                progress.add(result.status, result.input_size, copied=result.kept_size)
                if observe is not None:
                    observe(result)
                if debug and result.trace:
                    show_traceback(result.trace)
                if result.exists and not verbose:
                    existing.add(str(result.error))
                    continue
                # A dry run prints its plan to standard output.
                plan = dry and not as_json and result.status != "failed"
                for line in _lines(result, dry, quiet, verbose):
                    echo(printable(line)) if plan else say(line)
        existing.say()
        _summarise(session, progress, stop.is_set(), as_json, quiet)
    return 130 if stop.is_set() else 1 if progress.statuses["failed"] else 0


@contextmanager
def _session(paths: tuple[str, ...], options: dict[str, Any], spec_of: MakeSpec) -> Iterator[Session]:
    """The batch that the options describe; with --dask, connected to its cluster."""
    from concurrent.futures import ThreadPoolExecutor

    from dpid_cli.batching.processes import Processes
    from dpid_cli.batching.session import Session
    from dpid_cli.cli.batch_request import selections_of
    from dpid_cli.files.streams import check_paths

    check_paths("INPUT, OUTPUT_DIR", *paths)
    for name in "from_file", "root", "hr", "report", "retry_failed":
        check_paths(f"--{name.replace('_', '-')}", options.get(name))
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
        if stop.is_set() and number != HANGUP:  # which shell and system both send
            at_once("ended")
            os._exit(130)  # files in progress have no names yet
        stop.set()
        if not quiet:
            at_once("finishing the images in progress; press Ctrl-C again to end at once")

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
            "copied": progress.copied,
            "remaining": left,
            "ignored": ignored,
            "megapixels": round(progress.pixels / 1e6, 3),
            "seconds": round(seconds, 3),
            "interrupted": interrupted,
            "dry_run": session.spec.dry,
            "report": session.report,
        }
        click.echo(json.dumps(summary))
        return
    if quiet:
        return
    dry = session.spec.dry
    parts = progress.summary("would convert" if dry else "done", "skipped", "failed")
    parts += [f"not begun {left}"] * (left > 0) + [f"not images {ignored}"] * (ignored > 0)
    parts += [progress.speed()] * (not dry) + ["interrupted"] * interrupted
    if session.report is not None and not dry:
        parts.append(f"report {printable(session.report)}")
    click.echo(", ".join(parts))
