"""Conformance kit: proves of any headrace server that what its readers get is whole.

- `programs` holds a program whose behaviour is written in its inputs. Host it.
- `proxy` stands between reader and server and cuts, resets, throttles or stalls connections.
- `reader` follows a run, resumes after every cut, and writes a journal of all it was sent.
- `invariants` reads journals, offline, and names what is broken.

Against a server that hosts `conformance.programs:script`:

    cd tests && python -m conformance --address 127.0.0.1:50051
"""
