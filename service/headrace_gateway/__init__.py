"""The HTTP edge: programs of a headrace server over JSON and Server-Sent Events, and a page to run them.

It is a client of the gRPC service like any other, and knows nothing of the runtime behind it.
"""

from headrace_gateway.app import create_app
from headrace_gateway.config import Setup

__all__ = ["Setup", "create_app"]
