"""A believable shop, generated from a seed: for trying ShopFlow out, for tests and benchmarks."""

from shopflow.demo.counts import Counts, counts_for
from shopflow.demo.loader import DemoReport, load

__all__ = ["Counts", "DemoReport", "counts_for", "load"]
