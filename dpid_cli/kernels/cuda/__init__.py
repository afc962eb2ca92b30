"""CUDA kernels: the loops of `dpid_cli.kernels` once more, for a GPU. Imported only when one is used."""
