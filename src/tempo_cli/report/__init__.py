"""A run as a file for other programs or people: pure functions from runs to text."""

from .index import Entry, index
from .page import Source, page

__all__ = ["Entry", "Source", "index", "page"]
