"""Functions and nodes for other programs, in their conventions: VapourSynth, ComfyUI, notebooks.

They import what they serve when they are used, and nothing else in the package imports them.
"""
