"""In Ray's processes, instead of the package of that name, which jsonschema imports if it is there.

Jupyter brings it. It parses a grammar as it is imported: 2.6 core-seconds, which each of Ray's ten
processes would pay before it answers, to check a format (`iri`) that Ray never asks for.
"""

raise ImportError("not in Ray's processes: see constraintlab.cluster.local")
