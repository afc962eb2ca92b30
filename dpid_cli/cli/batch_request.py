"""From the options of ``dpid batch`` to the inputs and the specification of the batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import click

from dpid_cli.batching.selection import Listed, Rules, Selection, selection_of
from dpid_cli.batching.spec import BatchSpec, OutputSpec
from dpid_cli.cli.options import SIZE_KINDS, encoding, method_parameters, name_template, size_request
from dpid_cli.convert.names import Template
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.registry import METHODS
from dpid_cli.downscaling.sizes import SizeRequest


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
