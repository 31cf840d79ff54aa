"""Video files: what they say of themselves, and their frames. The only place that starts processes."""
