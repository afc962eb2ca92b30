"""The version of the package, importable from every floor."""

__version__ = "0.1.0"
