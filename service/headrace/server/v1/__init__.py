"""The contract headrace.v1 over the runtime: requests decoded, events, records and errors encoded.

Nothing outside this room builds a message or a status.
"""
