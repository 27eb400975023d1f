"""Measures DataSurface against the database's own bulk path, and against peers, in one run on one machine."""
