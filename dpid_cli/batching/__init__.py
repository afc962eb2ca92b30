"""Many files: which inputs, where outputs go, on how many workers, and the report.

Imported by `cli` and by the public `dpid_cli`; imports `convert`, `downscaling`, `pictures` and `files`.
"""
