"""The pages of the documentation: their links, headings, shell commands, and blocks to run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from support.command import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("samples/*.md")])
}
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
_RUN = re.compile(r"^(?:<!-- not run: ([^\n]+) -->\n)?```(sh|console|python)\n(.*?)^```$", re.M | re.S)
_INSTALLS = re.compile(r"^(?:python -m (?:pip|venv) .*|#SBATCH .*)\n", re.M)  # done, where tests run
_BETWEEN_COMMANDS = {"|", "||", "&&", ";", "&"}


def blocks(text: str, language: str) -> list[str]:
    """The contents of all fenced blocks in a language."""
    return [match[2] for match in _FENCE.finditer(text) if match[1] == language]


def scripts(text: str) -> list[str]:
    """All shell blocks of a page, and what follows the prompts of its consoles."""
    consoles = [re.findall(r"^\$ (.*)$", block, re.M) for block in blocks(text, "console")]
    return [*blocks(text, "sh"), *("\n".join(lines) for lines in consoles)]


class Block(NamedTuple):
    """A fenced block that a reader may run."""

    language: str  # sh or python
    content: str
    reason: str | None  # why tests do not run it, from a comment ``<!-- not run: reason -->`` above it


def to_run(text: str) -> list[Block]:
    """The shell and Python blocks of a page, in their order, without lines that install something."""
    found = []
    for reason, language, content in _RUN.findall(text):
        if language == "console":
            content = "".join(f"{line}\n" for line in re.findall(r"^\$ (.*)$", content, re.M))
        content = _INSTALLS.sub("", content)
        if content:
            found.append(Block("python" if language == "python" else "sh", content, reason or None))
    return found


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Targets of links and images, in Markdown and in HTML."""
    text = prose(text)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"<img[^>]*\ssrc=\"([^\"]+)\"", text)


def anchors(text: str) -> set[str]:
    """The fragments by which GitHub reaches a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(script: str) -> Iterator[list[str]]:
    """The words of every command in a script, without comments, redirections and assignments of variables."""
    script = script.replace("\\\n", " ")
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.commenters, lexer.whitespace_split = "#", True
        command: list[str] = []
        words = iter(lexer)
        for word in words:
            if word in _BETWEEN_COMMANDS:
                yield command
                command = []
            elif set(word) <= set("<>&"):
                next(words)  # the file
            elif command or not re.fullmatch(r"\w+=.*", word):
                command.append(word)
        yield command
