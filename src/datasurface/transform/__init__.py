"""Running transformers' code: where it runs, what it is given, and how its output becomes a stream like any other."""
