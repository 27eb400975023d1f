"""Releases and platform state, kept in the merge database."""
