"""Arrays to smaller arrays: methods, windows, guidance, linear light, CPU threads and the GPU.

Imported by `convert` and every floor above it; imports `kernels`, `files` and `errors`.
"""
