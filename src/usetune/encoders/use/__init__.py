"""The Universal Sentence Encoder, multilingual, version 3."""
