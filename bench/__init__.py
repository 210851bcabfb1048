"""Benchmarks: what pagerforce costs and how fast it is, each figure beside its bound."""
