"""The compiled model: relational tables and one job spec a stream."""
