"""The neural networks: torch only, no screen, and no files but in `checkpoint`."""
