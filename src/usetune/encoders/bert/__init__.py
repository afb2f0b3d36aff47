"""BERT with pooling, from a checkpoint in Hugging Face's layout."""
