"""Benchmarks: every figure of docs/performance.md, each with its own command.

    python -m bench.saturated            # one figure
    python -m bench.report --quick       # all of them, a table and JSON

Rule: figures compare within one run only. Servers run in processes of their own, one at a time, in
turn, several times; what is concluded, is concluded from ratios.
"""
