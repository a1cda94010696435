"""litellm, as a library of providers: their names, keys, addresses, parameters, prices, and one engine.

Nothing outside this folder imports litellm; these few functions are what other rooms ask it for. All but
`opened` and `address_of` block for seconds if nobody has opened it.
"""

from headrace.lm.litellm.catalog import supports, takes, usage_of
from headrace.lm.litellm.loading import opened
from headrace.lm.litellm.providers import address_of, find_provider, require_key
from headrace.lm.litellm.routes import Route, find_route

__all__ = [
    "Route",
    "address_of",
    "find_provider",
    "find_route",
    "opened",
    "require_key",
    "supports",
    "takes",
    "usage_of",
]
