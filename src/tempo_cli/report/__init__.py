"""A run as a file for other programs or people: pure functions from runs to text."""

from .document import GENERATOR
from .index import Entry, index
from .page import Source, page

__all__ = ["GENERATOR", "Entry", "Source", "index", "page"]
