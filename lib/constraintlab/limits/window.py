"""How many tokens of an answer are unread when its last one is drawn, behind a bounded window.

A stream with `window` tokens under way is held until half of them are read, draws in a burst until
the window is full again, and so on. Where in this cycle an answer ends depends on its length: of a
window of 32 at a sixth of the reader's time a token, one of 40 tokens ends soon after the first
hold, with 19 unread, and one of 38 before it, with 32. Paces vary, so that the further
an answer goes the less is known of its phase; of a long one three quarters of a window are unread,
in the mean.
"""

from __future__ import annotations

import math

ROUND = 0.05
"""The phase's deviation, in cycles, of an answer whose pace does not vary: steps are whole."""


def unread(tokens: float, pace: float, window: float, varies: float) -> float:
    """pace: seconds in which a token is drawn ÷ in which it is read, below 1; varies: by what part
    of it. Before the first hold this is a full window, which holds nothing up."""
    if not 0 <= pace < 1:
        return window
    # Tokens that are read are whole: half a token more is under way than on the average.
    full, half = window - 0.5, window / 2
    room = full - half + pace / 2
    # A token is drawn before any is read; until half is read a step ends on the average half late.
    cycles = (tokens * (1 - pace) - (full - pace)) / room
    deviation = math.hypot(varies * tokens * pace / room, ROUND)
    if cycles < -4 * deviation:
        return full
    # A sawtooth from 0 to 1, blurred, as its Fourier series.
    saw, k = 0.5, 1
    while k < 4 and (blurred := math.exp(-2 * (math.pi * k * deviation) ** 2)) > 0.01:
        saw -= math.sin(2 * math.pi * k * cycles) / (math.pi * k) * blurred
        k += 1
    begun = 0.5 * (1 + math.erf(cycles / deviation / math.sqrt(2)))
    return full - begun * room * (1 - saw)
