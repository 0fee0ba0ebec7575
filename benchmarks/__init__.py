"""Measurements against peers on public data; run as modules from the repository's root."""
