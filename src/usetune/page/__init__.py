"""A local page to try encoders."""
