"""The Processing provider `territories` and its algorithms."""
