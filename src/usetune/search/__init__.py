"""Search for the nearest embeddings, and embeddings made small."""
