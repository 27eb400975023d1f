"""The edge to databases: one folder a kind."""
