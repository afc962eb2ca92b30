"""Folders of outputs: made, and held while a file is written, so that no link leads it elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dpid_cli.errors import FileError, reason
from dpid_cli.platform import HOLDS_FOLDERS, of_system, open_folder, path_of_open


@dataclass(frozen=True)
class Tree:
    """The folder of the outputs of a run, with those below it.

    Attributes
    ----------
    root : str
    links : frozenset of str
        Its folders, itself included, that were links when the run began. Other links are not followed.
    """

    root: str
    links: frozenset[str] = frozenset()

    @classmethod
    def now(cls, root: str | Path, folder: str | Path) -> Tree:
        """The tree with the links that lead to this folder now."""
        _, *steps = _steps(Path(folder), Path(root))
        return cls(str(root), frozenset(str(step) for step in steps if step.is_symlink()))


def make_folder(path: Path, tree: Tree | None = None) -> None:
    """Create a folder, and those above it, where they are missing; within a tree through no new link."""
    try:
        if tree is not None and HOLDS_FOLDERS:
            os.close(_opened(path, tree, create=True))
            return
        _refuse_new_links(path, tree)
        _make(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be created: {reason(error)}: choose another folder") from error


@contextmanager
def held(folder: Path, tree: Tree | None = None) -> Iterator[Path]:
    """A path to a folder that still leads to it when another has its place, if the system has such paths.

    Raises an `OSError` if the folder cannot be opened, and a `FileError` for a link that is not among those
    of the tree.
    """
    if not HOLDS_FOLDERS:
        _refuse_new_links(folder, tree)
        yield folder
        return
    handle = open_folder(folder) if tree is None else _opened(folder, tree)
    try:
        yield path_of_open(handle)
    finally:
        os.close(handle)


def _steps(folder: Path, root: Path) -> list[Path]:
    """The folder that contains the root, the root, and all folders on the way to this one."""
    if not folder.is_relative_to(root):
        return [folder]
    steps = [root] if root.name in ("", os.pardir) else [root.parent, root]
    for name in folder.relative_to(root).parts:
        steps.append(steps[-1] / name)
    return steps


def _opened(folder: Path, tree: Tree, create: bool = False) -> int:
    """A handle of a folder in a tree; with `create`, it is created where it is missing."""
    first, *steps = _steps(folder, Path(tree.root))
    if create:
        _make(first)
    handle = open_folder(first)
    for step in steps:
        above = handle
        try:
            handle = _inner(above, step, str(step) in tree.links, create)
        finally:
            os.close(above)
    return handle


def _inner(above: int, step: Path, is_link: bool, create: bool) -> int:
    try:
        return open_folder(step.name, above, follow=is_link)
    except FileNotFoundError:
        if not create:
            raise
        with suppress(FileExistsError):  # another worker was quicker
            os.mkdir(step.name, dir_fd=above)
        return _inner(above, step, is_link, create=False)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and step.is_symlink():
            raise _is_new_link(step) from error
        raise


def _refuse_new_links(folder: Path, tree: Tree | None) -> None:
    _, *steps = _steps(folder, Path(tree.root)) if tree else [folder]
    for step in steps:
        if tree and of_system(step).is_symlink() and str(step) not in tree.links:
            raise _is_new_link(step)


def _is_new_link(step: Path) -> FileError:
    return FileError(f"{step}: has become a link to another folder: remove it, or run the command again")


def _make(path: Path) -> None:
    """Create a folder and those above it, without recursion: trees may be deep."""
    missing, folder = [], path
    while not of_system(folder).is_dir() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        of_system(folder).mkdir(exist_ok=True)
