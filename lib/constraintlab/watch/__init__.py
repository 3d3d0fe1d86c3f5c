"""A server that runs somewhere: what its metrics and a small probe say of what limits it."""
