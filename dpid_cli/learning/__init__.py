"""Fit a guidance filter to images: `dpid learn` and `dpid_cli.learn`.

Imported by `cli` and by the public `dpid_cli`; imports `convert`, `downscaling`, `pictures` and `files`.
"""
