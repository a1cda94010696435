"""Threads for sync code, and the event loops they come back to."""
