"""The two ways in which XMP writes structures and lists, and the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from dpid_cli.pictures.markup import Element, Node

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DESCRIPTION = RDF + "Description"
_LISTS = frozenset({RDF + "Bag", RDF + "Seq", RDF + "Alt"})
_NUMBER = re.compile(r"\s*([+-]?\d{1,12}(?:\.\d{0,20})?(?:[eE][+-]?\d\d?)?)\s*(?:/\s*(\d{1,12}))?\s*")


def fields(structure: Element) -> dict[str, Node]:
    """The fields of a structure, whether they are attributes or elements, by their full names."""
    parts = [structure, *(child for child in structure.children if child.name == _DESCRIPTION)]
    found: dict[str, Node] = {}
    for part in parts:
        found |= {attribute.name: attribute for attribute in part.attributes}
        found |= {child.name: child for child in part.children if child.name != _DESCRIPTION}
    return found


def items(node: Node | None) -> Iterator[Element]:
    """The items of a list."""
    for container in node.children if isinstance(node, Element) else ():
        if container.name in _LISTS:
            yield from (child for child in container.children if child.name == RDF + "li")


def number(text: str) -> Fraction | None:
    """A whole number, a decimal fraction or a quotient; None for anything else."""
    match = _NUMBER.fullmatch(text)
    if match is None or (match[2] and not int(match[2])):
        return None
    return Fraction(match[1]) / int(match[2] or 1)


def decimal(value: float | Fraction, digits: int = 6) -> str:
    """A number with at most so many digits behind the point."""
    text = f"{float(value):.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
