"""The loops, compiled by Numba: only `compiler` imports it, and only `cache` touches files."""
