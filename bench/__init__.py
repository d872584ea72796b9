"""Benchmarks: `python -m bench NAME`; see docs/reference/benchmarks.md."""
