"""The work on batches: capture, delta, guard, merge, publish, evolve, audit."""
