"""The `tempo` command: the only place that prints."""
