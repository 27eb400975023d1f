"""Before anything is deployed: checks of a target, as data, and what runs them."""
