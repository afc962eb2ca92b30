"""The papers that figures cite."""

from __future__ import annotations

from collections.abc import Iterable

DPID, DPP = "weber2016rapid", "saeedan2018detail"
_METHODS = {"dpid": DPID, "dpp": DPP}

BIBTEX = """\
@article{weber2016rapid,
  author  = {Weber, Nicolas and Waechter, Michael and Amend, Sandra C. and Guthe, Stefan and
             Goesele, Michael},
  title   = {Rapid, Detail-Preserving Image Downscaling},
  journal = {ACM Transactions on Graphics (Proceedings of SIGGRAPH Asia)},
  volume  = {35},
  number  = {6},
  articleno = {205},
  year    = {2016},
  doi     = {10.1145/2980179.2980239}
}

@inproceedings{saeedan2018detail,
  author    = {Saeedan, Faraz and Weber, Nicolas and Goesele, Michael and Roth, Stefan},
  title     = {Detail-Preserving Pooling in Deep Networks},
  booktitle = {Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {9108--9116},
  year      = {2018}
}
"""


def keys_of(methods: Iterable[str]) -> list[str]:
    """The BibTeX keys of the papers from which methods come, each once."""
    return list(dict.fromkeys(_METHODS[method] for method in methods if method in _METHODS))
