"""The one crossing between the runtime and the wire: events, requests, records and errors.

Nothing outside this room builds a message or a status, and nothing in it does I/O.
"""
