"""`python -m headrace_client.cli` is the `headrace` command."""

from __future__ import annotations

from headrace_client.cli import main

main()
