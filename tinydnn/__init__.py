"""A neural-network engine that a person can read."""
