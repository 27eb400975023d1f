"""The teams of the model, a module each."""
