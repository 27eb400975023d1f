"""How releases reach a running system: stores that hold them, publishing, following a rule, going back."""
