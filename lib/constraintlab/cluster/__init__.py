"""The serving stack in tiers on Ray Serve, each of which scales by itself.

    client → gateway (I/O) → prefill (compute) ⇒ decode (memory) → gateway → client

`layout.Layout` says how many replicas of each, `local.Cluster` runs it on this machine or on a Ray
cluster. Keys and values go from prefill to decode (⇒) without passing through the gateway.
"""

try:
    import ray.serve  # noqa: F401
except ImportError as missing:
    raise ImportError(
        f"constraintlab.cluster needs Ray Serve ({missing}): pip install 'constraintlab[cluster]'"
    ) from missing
