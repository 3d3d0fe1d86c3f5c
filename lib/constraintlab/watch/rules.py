"""The rules by which evidence becomes a verdict on a server whose work can't be counted.

Read `RULES` as a table: each row names a resource, says in words when it binds, which facts it
needs, how strongly they speak for it, and which other rows it explains away. A strength is no
probability: it orders what the evidence supports, from 0 (nothing) to 1 (all that there could be).
A row whose facts are absent is blind: it says nothing, and the verdict says that it could not look.
"""

from __future__ import annotations

from constraintlab.limits.resource import Resource
from constraintlab.watch import delivery, room
from constraintlab.watch.rule import Rule

R = Resource
ENGINE = (R.SLOTS, R.KV_CAPACITY, R.COMPUTE, R.BANDWIDTH)
"""What seems to bind where tokens are not taken away: requests stay, and hold their room."""

RULES: tuple[Rule, ...] = (
    Rule(R.KV_CAPACITY, "requests wait, and the KV pool is full or has no room for one more",
         ("waits", "kv"), room.kv, room.kv_evidence),
    Rule(R.SLOTS, "requests wait, as many run as may, and the KV pool has room",
         ("waits", ("slots", "level")), room.slots, room.slots_evidence),
    Rule(R.COMPUTE, "requests wait, and the GPU is near its peak FLOP/s",
         ("waits", "compute"), room.device("compute"), room.device_evidence("compute", "FLOP/s")),
    Rule(R.BANDWIDTH, "requests wait, and the GPU's memory is near its peak",
         ("waits", "bandwidth"), room.device("bandwidth"),
         room.device_evidence("bandwidth", "bytes/s")),
    Rule(R.COMPUTE, "requests wait, slots and KV have room, and nearly all tokens are prompts'",
         ("waits", "kv", "prompts", "tokens"), room.prefill, room.prefill_evidence),
    Rule(R.HOST, "requests wait, and the GPU idles",
         ("waits", "device_busy"), room.idle_device, room.idle_evidence, (R.SLOTS,)),
    Rule(R.HOST, "requests wait, and the engine spends its time beside its kernels",
         ("waits", "engine_host"), room.engine_host, room.engine_host_evidence),
    Rule(R.NETWORK, "tokens reach a client far slower than the engine makes them, or wait for "
         "nearly all readers, and the front end is not busy",
         (("probe_itl", "slow"),), delivery.network, delivery.network_evidence, ENGINE),
    Rule(R.CLIENT, "tokens wait for some readers, and others keep up",
         ("slow",), delivery.client, delivery.client_evidence, ENGINE),
    Rule(R.HOST, "tokens reach a client far slower than the engine makes them, and the front "
         "end's process is busy",
         ("probe_itl", "itl"), delivery.front, delivery.front_evidence, ENGINE),
    Rule(R.HOST, "more requests are in the server than its scheduler knows of",
         ("running", "waiting", "outside"), delivery.outside, delivery.outside_evidence, ENGINE),
)  # fmt: skip
"""In no order: all are asked, and the strongest wins."""
