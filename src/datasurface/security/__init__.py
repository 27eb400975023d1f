"""Who may touch what in a platform's database follows from the model: roles, grants, logins, and their rotation."""
