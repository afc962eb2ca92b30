"""The documentation as a site: ``python -m sphinx -W docs out/site``, with the extra ``docs``.

Pages are the Markdown files of this folder, which also read well on a code host. ``reference`` has pages that
only the site has, and ``site`` its style.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

from dpid_cli.version import __version__

project = "dpid-cli"
author = "The dpid-cli developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_copybutton"]
templates_path = ["site"]
default_role = "py:obj"
smartquotes = False  # it would make one dash of two

# Of Markdown: what code hosts understand, too.
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "beside": {"url": "{{path}}"}}

# Docstrings are read from imported modules; what may be missing is not needed to read them.
autodoc_mock_imports = [name for name in ("torch", "torchvision", "vapoursynth") if find_spec(name) is None]
autodoc_default_options = {"members": True}
autodoc_typehints = "none"  # the texts of parameters say it better
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "dpid-cli"
html_static_path = ["site/style.css", "site/icon.svg"]
html_css_files = ["style.css"]
html_favicon = "site/icon.svg"
html_extra_path = ["live.html"]
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_sidebars = {"**": ["pages.html"]}
html_theme_options = {
    "logo": {"text": "dpid", "image_light": "site/icon.svg", "image_dark": "site/icon.svg"},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "article_header_start": [],
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

# The order of pages in the navigation; those that do not exist are left out.
_PAGES = {
    "Start": {
        "install": "Install",
        "tutorial": "Five-minute tutorial",
        "usage": "Downscale images",
        "choosing": "Choose method and lambda",
        "gallery": "Gallery",
        "faq": "Frequent questions",
    },
    "Guides": {
        "batch": "Folders and data sets",
        "pairs": "Pairs for super-resolution",
        "files": "Files, colour, metadata",
        "video": "Videos",
        "compare": "Compare methods",
        "learning": "Learn a guidance",
        "torch": "Pooling in PyTorch",
        "integrations": "Other programs and libraries",
        "scale": "Millions of images",
    },
    "Reference": {
        "commands": "Commands and options",
        "reference/library": "Library",
        "reference/torch": "Layers for PyTorch",
        "schemas": "JSON schemas",
        "reference/samples": "Samples",
        "reference/changelog": "Changelog",
    },
    "How it works": {
        "how-it-works": "The idea",
        "methods": "Methods and equations",
        "pooling-study": "Study of poolings",
        "benchmarks": "Speed",
        "internals": "Internals",
        "architecture": "Architecture",
    },
    "Project": {"citing": "Cite", "contributing": "Contribute", "security": "Security"},
}
# Files outside of this folder that pages link to, and where the site has them.
_ELSEWHERE = {
    "../samples/README.md": "reference/samples.md",
    "../CHANGELOG.md": "reference/changelog.md",
    "live.html": "beside:live.html",
}


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    """Let links out of this folder lead to pages of the site, and add the navigation to the first page."""
    source[0] = re.sub(r"(?<=\]\()[^)#]+", lambda link: _ELSEWHERE.get(link[0], link[0]), source[0])
    if name == app.config.root_doc:
        for title, pages in _PAGES.items():
            names = (f"{name} <{page}>" for page, name in pages.items() if page in app.env.found_docs)
            there = "\n".join(names)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{there}\n```\n"


def _formula(translator: Any, node: nodes.math | nodes.math_block) -> None:
    """Write MathML, which browsers draw themselves, so that pages load no script for it."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=is_block)
    translator.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
