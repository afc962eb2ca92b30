"""The loops over pixels, compiled by Numba.

Packages above call them with NumPy arrays. Only `compiler` imports Numba, and only `cache` touches files.
"""
