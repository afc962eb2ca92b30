"""The pages of the documentation: their links, headings and shell commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from support.command import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("samples/*.md")])
}
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
_BETWEEN_COMMANDS = {"|", "||", "&&", ";", "&"}


def blocks(text: str, language: str) -> list[str]:
    """The contents of all fenced blocks in a language."""
    return [match[2] for match in _FENCE.finditer(text) if match[1] == language]


def scripts(text: str) -> list[str]:
    """All shell blocks of a page, and what follows the prompts of its consoles."""
    consoles = [re.findall(r"^\$ (.*)$", block, re.M) for block in blocks(text, "console")]
    return [*blocks(text, "sh"), *("\n".join(lines) for lines in consoles)]


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
