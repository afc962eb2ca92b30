"""The loops, compiled by Numba. Only they import it; nothing here touches files or options."""
