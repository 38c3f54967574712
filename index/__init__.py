"""Documents in, a searchable index out: ``from index.build import build_index``."""
