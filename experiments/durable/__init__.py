"""Runs that last: their files, checkpoints and events, whole or absent, and whose they are."""
