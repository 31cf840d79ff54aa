"""Many videos and questions with one model load: jobs, their results in a file, and the engine between."""
