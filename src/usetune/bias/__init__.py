"""Bias of embeddings: tests, gender of titles, and a direction taken out."""
