"""Inputs by the thousand for every reader of the package, each judged by an oracle."""
