"""The DSL: frozen dataclasses that describe an ecosystem. Pure but for `load`."""
