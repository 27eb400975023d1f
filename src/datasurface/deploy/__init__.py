"""Deployment: a bound release as the files that a target's own tools apply."""
