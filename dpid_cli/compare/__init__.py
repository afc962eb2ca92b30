"""Compare methods on an image: `dpid compare`, side by side on a sheet, as a page, and in numbers.

Imported by `cli`; imports `convert`, `downscaling`, `pictures` and `files`.
"""
