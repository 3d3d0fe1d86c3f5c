"""`make gpu`: on a machine with an NVIDIA GPU, check, time and record in under eight minutes.

`plan` says which parts there are, `runner` runs each in a process of its own, `result` is the file
that comes of it. A part is a module of `parts` with WHAT, LEAST, MOST and `run(here, say)`.
"""
