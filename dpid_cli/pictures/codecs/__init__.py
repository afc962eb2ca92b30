"""File formats: a module for each, or several that belong to one.

`pictures` imports them; they import what `pictures` knows of pixels and metadata.
"""
