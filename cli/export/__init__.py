"""Archived months on their way out of the database, and back: `make export-months`, `make attach-month`."""
