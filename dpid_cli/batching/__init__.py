"""Many images from files to files: which, where to, on how many workers, and what became of each."""
