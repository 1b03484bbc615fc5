"""Measure the hot paths beside the limit and the peers of the same run: `python -m tests.benchmarks [names]`.

Ratios and latencies of one run on one machine, never a timed assertion in a test. docs/benchmarks.md is written here.
"""
