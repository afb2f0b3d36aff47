"""Sharing an encoder: its card, and uploads."""
