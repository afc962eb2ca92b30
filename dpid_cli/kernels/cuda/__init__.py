"""The loops of `dpid_cli.kernels` for a GPU. Imported only when one is used."""
