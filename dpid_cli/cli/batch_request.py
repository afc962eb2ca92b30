"""From the options of ``dpid batch`` and ``dpid pairs`` to the inputs and the specification of the batch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dpid_cli.batching.pairs import LAYOUTS, MetaInfo, Pairs
from dpid_cli.batching.selection import Listed, Rules, Selection, selection_of
from dpid_cli.batching.spec import BatchSpec, OutputSpec
from dpid_cli.cli.options import SIZE_KINDS, encoding, method_parameters, name_template, size_request
from dpid_cli.convert.names import Template
from dpid_cli.convert.patches import Patches
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.registry import METHODS, PARAMETERS
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import ArgumentError
from dpid_cli.files import storage
from dpid_cli.files.streams import check_paths

if TYPE_CHECKING:
    from dpid_cli.convert.degradations import Degradations


def selections_of(inputs: tuple[str, ...], options: dict[str, Any]) -> list[Selection]:
    """Take the options about inputs out of `options`, and say what the inputs are."""
    source, root, recursive = (options.pop(name) for name in ("from_file", "root", "recursive"))
    rules = Rules(*(options.pop(name) for name in ("include", "exclude", "hidden")))
    rules.check()
    if root is not None and source is None:
        raise click.UsageError("--root: works only with --from-file: omit it")
    if source is None:
        if not inputs:
            raise click.UsageError(
                "INPUT is missing: give INPUT and OUTPUT_DIR, or --from-file and OUTPUT_DIR"
            )
        return [selection_of(given, rules, recursive) for given in inputs]
    if inputs:
        raise click.UsageError("--from-file: replaces INPUT: give only OUTPUT_DIR")
    if recursive or rules != Rules():
        raise click.UsageError(
            "--from-file: the list names every input: omit --recursive, --include, --exclude and --hidden"
        )
    return [Listed(source, root)]


def spec_of(folder: str, options: dict[str, Any]) -> BatchSpec:
    """What to do with every input, from all remaining `options`."""
    sizes, methods = _sizes(options), dict.fromkeys(options.pop("method"))
    parameters, encoder = method_parameters(options), encoding(options)
    names = ("format", "hr", "multiple_of", "min_size", "overwrite", "skip_existing", "checksum", "dry")
    common = {name: options.pop(name) for name in names}
    template, if_smaller = name_template(options) or Template(), options.pop("if_smaller")
    outputs = [
        OutputSpec(
            Recipe(size, method, own, encoding=encoder, **options),
            _subfolder(method if len(methods) > 1 else "", size if len(sizes) > 1 else None),
        )
        for method, own in _by_method(methods, parameters).items()
        for size in sizes
    ]
    return BatchSpec(
        tuple(outputs),
        folder,
        template,
        if_smaller=if_smaller or ("copy" if common["min_size"] is None else "skip"),
        **common,
    )


def _sizes(options: dict[str, Any]) -> list[SizeRequest]:
    """Take the sizes out of `options`: several scales, or one of any kind."""
    scales = dict.fromkeys(options["scale"]) or [None]
    sizes = [size_request(options | {"scale": scale}) for scale in scales]
    for name in (*SIZE_KINDS, "fit"):
        del options[name]
    return sizes


def _by_method(methods: Collection[str], parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For each of several methods, the parameters that it takes; for a single one, all of them."""
    if len(methods) == 1:
        return {method: dict(parameters) for method in methods}
    own = {
        method: {name: value for name, value in parameters.items() if name in METHODS[method].defaults}
        for method in methods
    }
    if unused := parameters.keys() - {name for taken in own.values() for name in taken}:
        raise click.UsageError(f"--{min(unused).rstrip('_')}: none of these methods takes it: omit it")
    return own


def _subfolder(method: str, size: SizeRequest | None) -> str:
    """The folder for the outputs of one of several methods and scales."""
    scale = "" if size is None else f"x{size.scale:.6g}"
    return "/".join(filter(None, (method, scale)))


def pairs_spec_of(folder: str, options: dict[str, Any]) -> BatchSpec:
    """What ``dpid pairs`` does with every input."""
    scales = list(dict.fromkeys(options["scale"]))
    layout = LAYOUTS[options.pop("layout")]
    multiple_of = _multiple_of(options.pop("multiple_of"), scales)
    patches = _patches(options.pop("patches"), options.pop("step"), options.pop("threshold"), scales)
    degradations = _degradations(options)
    large = layout.of(patches, method="", scale="", plain="")[0]
    sizes = dict.fromkeys(kind for kind in SIZE_KINDS if kind != "scale")
    unused = {"fit": None, "template": None, "suffix": None, "skip_existing": False}
    options |= sizes | unused | {"multiple_of": multiple_of, "hr": storage.joined(folder, large)}
    spec = spec_of(folder, options)
    if degradations is not None:
        for output, method in product(spec.outputs, degradations.methods):
            replace(output.recipe, method=method, parameters={}).checked(spec.format)
    outputs = []
    for output in spec.outputs:
        scale = f"{output.recipe.size.scale:g}"
        method = output.recipe.method if degradations is None else "unknown"
        values = {"method": method, "scale": scale, "plain": output.folder}
        outputs.append(replace(output, folder=layout.of(patches, **values)[1]))
    return replace(spec, outputs=tuple(outputs), pairs=Pairs(patches, degradations))


def _degradations(options: dict[str, Any]) -> Degradations | None:
    """Take the file of degradations out of `options`, and read it."""
    path = options.pop("degradations")
    if path is None:
        return None
    from dpid_cli.convert.degradations import Degradations

    degradations = Degradations.load(path)
    methods = dict.fromkeys(options["method"])
    given = [name for name in PARAMETERS if options[name] is not None]
    if len(methods) > 1:
        raise click.UsageError("--degradations: goes with one method, or draws one: omit --method")
    source = click.get_current_context().get_parameter_source("method")
    if degradations.methods and (given or source != ParameterSource.DEFAULT):
        name = given[0].rstrip("_") if given else "method"
        raise click.UsageError(f"--{name}: {path} draws the method: omit one of them")
    if degradations.lambda_ is not None and not degradations.methods:
        if options["lambda_"] is not None:
            raise click.UsageError(f"--lambda: {path} draws it: omit one of them")
        if not any("lambda_" in METHODS[name].described for name in methods):
            raise click.UsageError(
                f"--degradations: {path}: lambda: method {min(methods)} takes none: omit it"
            )
    return degradations


def _multiple_of(given: int | None, scales: Iterable[int]) -> int:
    """What sides are cropped to multiples of, which all scales must divide."""
    least = math.lcm(*scales)
    if given is not None and given % least:
        raise ArgumentError(
            f"--multiple-of: {given} is no multiple of {least}, which all scales divide: change it"
        )
    return given or least


def _patches(
    side: int | None, step: int | None, threshold: int | None, scales: Iterable[int]
) -> Patches | None:
    """The sub-images of originals, if any are wanted."""
    if side is None:
        for name, value in ("--step", step), ("--threshold", threshold):
            if value is not None:
                raise ArgumentError(f"{name}: works only with --patches: omit it")
        return None
    least = math.lcm(*scales)
    patches = Patches(side, step or max(least, side // 2 // least * least), threshold or 0)
    for scale in scales:
        patches.shrunk(scale)  # or an error
    return patches


def listing_of(path: str | None, options: dict[str, Any]) -> MetaInfo | nullcontext[None]:
    """The list of originals to write, if one is wanted."""
    check_paths("--meta-info", path)
    if path is None:
        return nullcontext()
    for name in "from_file", "report", "retry_failed", "degradations", "guidance", "gate", "importance":
        if options.get(name) and storage.same(str(options[name]), path):
            raise ArgumentError(f"--meta-info: {path}: --{name.replace('_', '-')} has this, too: use another")
    if options["retry_failed"] is not None:
        raise ArgumentError(
            "--meta-info: would list only what --retry-failed takes: use --report and --resume instead"
        )
    return MetaInfo(path, options["overwrite"] or options["resume"])
