"""All of litellm: nothing outside this folder imports it."""
