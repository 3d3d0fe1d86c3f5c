"""Probes: one file a capacity, each measuring it in a fraction of a second."""
