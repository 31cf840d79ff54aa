"""Video files: their properties and their frames. The only package that starts processes."""
