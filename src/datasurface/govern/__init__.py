"""Questions about models: findings of the rules, what databases can hold. Pure."""
