"""A run as a file for other programs or people: pure functions from runs to text."""
