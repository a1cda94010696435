"""headrace hosts LM programs and streams what happens inside them, as typed events."""
