"""The parts of `make gpu`, one a file, each with WHAT, LEAST, MOST and `run(here, say)`."""
