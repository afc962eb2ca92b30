"""Downscale images on a GPU: `arrays` on it, its `memory`, and the `launch` of the CUDA kernels.

Importing these modules imports numba.cuda. Only `downscaling.api`, `downscaling.warmup` and commands do.
"""
