"""Answers kept: in memory, on disk, and one call shared by all who ask the same at once."""
