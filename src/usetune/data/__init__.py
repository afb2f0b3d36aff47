"""Training data and benchmarks: read, checked, converted, split, and mined."""
