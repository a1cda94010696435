"""Running programs: one execution writes one log; the registry owns them all."""
