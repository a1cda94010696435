"""Language models: messages in, text deltas out. The only rooms that know litellm."""
