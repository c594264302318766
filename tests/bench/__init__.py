"""The benchmark: how fast what a booking owes is delivered, beside the bare driver and beside other systems.

`make bench`, or `python -m tests.bench --help`. Not a test: it needs a quiet machine and half an hour. Each measurement
is a process of its own on a database of its own; rounds are interleaved, so that the machine's noise hits all alike.
"""
