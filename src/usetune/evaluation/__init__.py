"""Measures of an encoder: similarity, retrieval, a domain, pairs."""
