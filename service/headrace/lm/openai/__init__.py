"""The engine for OpenAI's dialect, which is read here without litellm."""
