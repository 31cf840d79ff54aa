"""Trains the small model that ships with tempo. Nothing of the package imports this folder."""
