"""Serving scenarios as data, run on the virtual clock or on a real stack, and what binds in them by
perturbation.

Nothing here knows `limits`: this is what its verdicts are held against.
"""
