"""A corpus larger than one machine: embedded part by part, read, and searched."""
