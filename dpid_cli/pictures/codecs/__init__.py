"""One module for each file format.

Imported by `pictures` alone.
"""
