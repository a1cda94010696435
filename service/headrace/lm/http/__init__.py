"""HTTP/1.1 as the direct engine needs it: POST, and a body that is handed on where it arrives.

A room of its own because it lies on the path of every token. A general client wakes a task for each
piece of a body; here the bytes go from the socket to the parser in the same turn of the event loop.
Requests through a proxy go by aiohttp, behind the same face.
"""

from headrace.lm.http.pool import Pool, http_pool
from headrace.lm.http.request import InvalidRequest, proxy_for
from headrace.lm.http.response import Broken, ConnectTimeout, Response

__all__ = [
    "Broken",
    "ConnectTimeout",
    "InvalidRequest",
    "Pool",
    "Response",
    "http_pool",
    "proxy_for",
]
