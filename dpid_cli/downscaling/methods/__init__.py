"""One module for each family of methods: it fills output rows by calling kernels.

`registry.Method.load` imports a family when one of its methods is first used.
"""
