"""An answer while it comes: text deltas in, a completion out."""
