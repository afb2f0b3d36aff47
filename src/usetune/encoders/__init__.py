"""Sentence encoders: what they promise, where they come from, how they are stored."""
