"""Configuration: one typed object, where its values came from, and the command that shows it."""

from headrace.server.config.model import Config, Logs, Principal, Tls
from headrace.server.config.sources import Loaded, load_config

__all__ = ["Config", "Loaded", "Logs", "Principal", "Tls", "load_config"]
