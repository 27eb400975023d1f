"""The pipelines derived backwards from consumers, and why each exists. Pure."""
