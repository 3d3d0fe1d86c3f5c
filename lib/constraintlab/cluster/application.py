"""A layout as a Ray Serve application: three deployments, each with replicas of its own."""

from __future__ import annotations

from ray import serve

from constraintlab.cluster.decode import Decode
from constraintlab.cluster.gateway import Gateway
from constraintlab.cluster.layout import Layout
from constraintlab.cluster.prefill import Prefill

LOOK, PATIENCE = 1.0, 30.0
"""Seconds between two questions whether a replica lives, and those that it has to answer."""

GRACE = 2.0
"""Seconds that a replica has to end what it does when it is taken away."""


def application(layout: Layout) -> serve.Application:
    """What `serve.run` takes. Run again under the same name with another number of replicas, it
    adds or takes away those and leaves the others as they are."""

    def tier(what: type, name: str, replicas: int, ongoing: int) -> serve.Deployment:
        return serve.deployment(
            what,
            name=name,
            num_replicas=replicas,
            max_ongoing_requests=ongoing,
            ray_actor_options={"num_cpus": layout.cpus},
            health_check_period_s=LOOK,
            health_check_timeout_s=PATIENCE,
            graceful_shutdown_timeout_s=GRACE,
            graceful_shutdown_wait_loop_s=GRACE / 4,
        )

    # Engines queue by themselves, and turn nobody away: that is the gateway's to do.
    slots, queue = layout.setup.slots, layout.options.queue
    prefill = tier(Prefill, "prefill", layout.prefill, slots + queue).bind(layout)
    decode = tier(Decode, "decode", layout.decode, slots + queue).bind(layout)
    # A few more than are let in, for those who are told so, and for /health and /metrics.
    ingress = serve.ingress()(Gateway)
    gateway = tier(ingress, "gateway", layout.gateway, layout.front.slots + queue + 64)
    return gateway.bind(layout, prefill, decode)
