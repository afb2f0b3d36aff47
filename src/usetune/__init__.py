"""Adapt a pre-trained sentence encoder to a domain, and measure what it cost."""

from usetune.encoder import Encoder
from usetune.pretrained import load_encoder
from usetune.similarity import angular_similarity, cosine_similarity

__all__ = ["Encoder", "angular_similarity", "cosine_similarity", "load_encoder"]
