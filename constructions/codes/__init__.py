"""Codes: how attributes are written down, and how far apart their words are."""
