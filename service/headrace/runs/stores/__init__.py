"""Stores: where the records and the logs of runs are kept."""
