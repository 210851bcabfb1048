"""Benchmarks: cost and speed of pagerforce, each figure with its bound."""
