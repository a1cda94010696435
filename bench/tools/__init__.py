"""Tools that show where time and memory go, for whoever looks for them. They measure nothing to report."""
