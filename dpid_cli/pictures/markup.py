"""XML that is changed in place: whatever is not changed keeps its bytes.

Documents with declarations of their own are refused, so that nothing is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from xml.parsers import expat

_DECLARATION = re.compile(rb"<!(?!--|\[CDATA\[)")
_TAG = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_TAG_END = re.compile(rb"\s*(/?)>")
_MOST_NODES = 100_000  # elements and attributes
XMLNS = "http://www.w3.org/2000/xmlns/"
_ALWAYS = {"xml": "http://www.w3.org/XML/1998/namespace", "xmlns": XMLNS}


@dataclass(slots=True, eq=False)
class Attribute:
    """An attribute; declarations of name spaces are attributes of the name space `XMLNS`."""

    space: str
    local: str
    value: str
    start: int  # of the white space before it
    end: int
    inner: tuple[int, int]  # where its value lies, between the quotes

    @property
    def name(self) -> str:
        """Name space and local name together."""
        return self.space + self.local


@dataclass(slots=True, eq=False)
class Element:
    """An element."""

    space: str
    local: str
    scope: Mapping[str, str]  # name spaces by prefix
    start: int
    named: int  # where the name in its first tag ends
    attributes: list[Attribute] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)
    inner: tuple[int, int] = (0, 0)  # between its tags
    end: int = 0
    text: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name space and local name together."""
        return self.space + self.local

    @property
    def value(self) -> str:
        """The text of an element without children, else nothing."""
        return "" if self.children else "".join(self.text)


Node: TypeAlias = Attribute | Element


class Document:
    """A document in UTF-8; a `ValueError` if it is damaged, has declarations, or is very large."""

    def __init__(self, data: bytes) -> None:
        data.decode()
        if _DECLARATION.search(data):
            raise ValueError("it has declarations")
        self.data = data
        self._edits: list[tuple[int, int, bytes]] = []
        self._open: list[Element] = []
        self._elements: list[Element] = []
        self._nodes = 0
        parser = expat.ParserCreate("utf-8")  # whatever the document says
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = lambda name, pairs: self._begin(parser.CurrentByteIndex, name, pairs)
        parser.EndElementHandler = lambda name: self._end(parser.CurrentByteIndex)
        parser.CharacterDataHandler = self._read
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from None

    def _begin(self, start: int, name: str, pairs: list[str]) -> None:
        scope = self._open[-1].scope if self._open else _ALWAYS
        if pairs:
            declared = {
                key.partition(":")[2]: value
                for key, value in zip(pairs[::2], pairs[1::2], strict=True)
                if key == "xmlns" or key.startswith("xmlns:")
            }
            scope = {**scope, **declared} if declared else scope
        match = _TAG.match(self.data, start)
        assert match is not None  # noqa: S101
        space, local = _resolved(name, scope, scope.get("", ""))
        element = Element(space, local, scope, start, match.end())
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            match = _ATTRIBUTE.match(self.data, match.end())
            assert match is not None  # noqa: S101
            space, local = (XMLNS, "") if key == "xmlns" else _resolved(key, scope, "")
            inner = match.start(2) + 1, match.end() - 1
            element.attributes.append(Attribute(space, local, value, match.start(), match.end(), inner))
        end = _TAG_END.match(self.data, match.end())
        assert end is not None  # noqa: S101
        element.inner = end.end(), end.end()
        element.end = end.end() if end[1] else 0
        self._nodes += 1 + len(element.attributes)
        if self._nodes > _MOST_NODES:
            raise ValueError("it is very large")
        if self._open:
            self._open[-1].children.append(element)
        self._open.append(element)
        self._elements.append(element)

    def _end(self, place: int) -> None:
        element = self._open.pop()
        if not element.end:
            element.inner = element.inner[0], place
            element.end = self.data.index(b">", place) + 1

    def _read(self, text: str) -> None:
        self._open[-1].text.append(text)

    @property
    def root(self) -> Element:
        """The outermost element."""
        return self._elements[0]

    def elements(self) -> Iterator[Element]:
        """All elements, in the order in which they begin."""
        return iter(self._elements)

    def nodes(self) -> Iterator[Node]:
        """All attributes and elements."""
        for element in self._elements:
            yield from element.attributes
            yield element

    def replace(self, node: Node, value: str) -> None:
        """Give an attribute, or an element without children, another value."""
        if value != node.value:
            self._edits.append((*node.inner, _escaped(value)))

    def remove(self, node: Node) -> None:
        """Remove an attribute, or an element with all that it contains; the outermost element stays."""
        if node is not self.root:
            self._edits.append((node.start, node.end, b""))

    def append(self, element: Element, content: bytes) -> None:
        """Put content before the end tag of an element that has one."""
        self._edits.append((element.inner[1], element.inner[1], content))

    def alone(self, element: Element) -> bytes:
        """An unchanged element that declares all of its name spaces."""
        declared = {a.local for a in element.attributes if a.space == XMLNS}
        missing = element.scope.keys() - _ALWAYS.keys() - declared
        spaces = b"".join(
            f" xmlns{':' * bool(prefix)}{prefix}=".encode() + b'"' + _escaped(element.scope[prefix]) + b'"'
            for prefix in sorted(missing)
        )
        data = self.data
        return data[element.start : element.named] + spaces + data[element.named : element.end]

    def content(self) -> bytes:
        """The document with all changes; those within what is removed are ignored."""
        parts, place = [], 0
        # Of what begins at the same place, the longest first.
        for start, end, content in sorted(self._edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= place:
                parts += [self.data[place:start], content]
                place = end
        return b"".join([*parts, self.data[place:]])


def _resolved(name: str, scope: Mapping[str, str], default: str) -> tuple[str, str]:
    """Name space and local name."""
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return default, name
    if ":" in prefix or prefix not in scope or not local:
        raise ValueError(f"unknown name space: {prefix}")
    return scope[prefix], local


def _escaped(value: str) -> bytes:
    """A value as content of an element, or between quotes."""
    from html import escape  # what xml.sax has for this imports the network

    return escape(value).encode()
