"""Field parsers: text in, deltas of fields out. No I/O, no shared state, one parser per completion."""
