"""Resized frames in files: of the running decoder, and of earlier runs. No model, no processes."""
