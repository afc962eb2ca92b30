"""Where the package names file formats: in their codecs and in the one table, nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dpid_cli
from dpid_cli.pictures import FORMATS

ROOT = Path(dpid_cli.__file__).parent
TABLE = ROOT / "pictures" / "formats.py"
# Folders and files that name formats for another reason than reading or writing images.
EXEMPT = {
    "compare/": {"png", "jpg", "jpeg", "webp"},  # kinds of figures, which matplotlib draws
    "cli/compare.py": {"png", "jpg", "webp"},  # help on these
    "cli/batch.py": {"jpeg", "png"},  # a degradation, and what pairs are stored as
    "convert/degradations.py": {"jpeg"},  # whose artefacts are wanted
    "pictures/xmp.py": {"tiff"},  # a name space of XMP
    # What strips and tiles are compressed as.
    "pictures/codecs/tiff_compression.py": {"jpeg", "jpeg 2000", "jpeg xl", "png", "webp"},
    "pictures/codecs/jp2.py": {"jpeg"},  # OpenJPEG, its encoder
    "pictures/codecs/jxl.py": {"jpeg"},  # what a JPEG XL may have been made of
}
EXTENSIONS = "|".join(end.removeprefix(".") for codec in FORMATS.values() for end in codec.extensions)
# Files and the option in examples, which say nothing about what is read.
EXAMPLES = re.compile(rf"(?<!\bcodecs)(?<=[\w*}}])\.({EXTENSIONS})\b|--format \w+")


def words_of(codec) -> set[str]:
    """What the format may be called, in lower case."""
    extensions = {extension.removeprefix(".") for extension in codec.extensions}
    return {word.lower() for word in (codec.name, codec.title, codec.pillow, *extensions)}


def owner(codec) -> str:
    """The module of a codec; its other modules begin with the same word."""
    return type(codec).__module__.rpartition(".")[2]


WORDS: dict[str, set[str]] = {}
for known in FORMATS.values():
    WORDS.setdefault(owner(known), set()).update(words_of(known))


def named_in(text: str) -> set[tuple[str, str]]:
    """Owners and words of the formats that a source names, as words or as parts of identifiers."""
    text = EXAMPLES.sub(" ", text)
    text = f"{text} {re.sub(r'(?<=[a-z0-9])(?=[A-Z])', ' ', text)}".lower().replace("_", " ")
    found = set()
    every = [(word, module) for module, words in WORDS.items() for word in words]
    for word, module in sorted(every, key=lambda pair: -len(pair[0])):  # JPEG XL before JPEG
        text, count = re.subn(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", " ", text)
        found |= {(module, word)} if count else set()
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_formats_are_named_by_their_codecs_alone(path):
    if path == TABLE:
        return
    name = str(path.relative_to(ROOT))
    allowed = {word for start, words in EXEMPT.items() if name.startswith(start) for word in words}
    family = path.stem.partition("_")[0] if path.parent.name == "codecs" else ""
    for module, word in named_in(path.read_text()):
        assert module == family or word in allowed, f"{path}: {word}"


def test_exemptions_are_needed():
    for start, words in EXEMPT.items():
        paths = [path for path in ROOT.rglob("*.py") if str(path.relative_to(ROOT)).startswith(start)]
        assert words <= {word for path in paths for _, word in named_in(path.read_text())}, start


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# of a PNG", "png"),
        ('".jpg"', "jpg"),
        ("def read_tiff(): ...", "tiff"),
        ("class GifFrames: ...", "gif"),
        ('"JPEG XL"', "jpeg xl"),
        ("WebP", "webp"),
        ("from dpid_cli.pictures.codecs.qoi import *", "qoi"),
        ("tiff.decode(1)", "tiff"),
    ],
)
def test_names_are_found(text, word):
    assert {found for _, found in named_in(text)} == {word}


@pytest.mark.parametrize("text", ["photo.jpg", "large/*.png", "dpid - --format webp", "magnify", "tifffile"])
def test_examples_name_nothing(text):
    assert not named_in(text)
