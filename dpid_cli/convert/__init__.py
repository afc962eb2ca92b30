"""One image file to one or more output files: recipe, rendering, alpha, bit depth.

Imported by `batching`, `compare`, `learning` and `cli`; imports `downscaling`, `pictures` and `files`.
"""
