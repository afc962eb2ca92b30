"""One module for each family of methods: it fills output rows by calling kernels.

Imported by name, by `downscaling.api`, when a method of the family is used.
"""
