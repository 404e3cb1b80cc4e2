"""A package that the harness knows nothing of."""
