"""A lab as it ran, in a file: what its panels drew and what it asked and found, to scrub through.

`telemetry.recording` keeps samples, which a panel draws anew; this keeps what was drawn.
"""
