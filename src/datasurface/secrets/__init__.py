"""The edge to secrets: one file a kind of store."""
