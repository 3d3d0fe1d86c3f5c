"""A layout as a Ray Serve application: three deployments, each with replicas of its own."""

from __future__ import annotations

import pickle
from hashlib import blake2b

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

    # A version that is equal leaves a replica as it is: what Ray Serve does for a configuration
    # file and, unless it is told the version, not for `serve.run`. What changes is user_config.
    single = layout.single
    version = blake2b(pickle.dumps(single), digest_size=8).hexdigest()

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
        ).options(version=version, _internal=True)

    # Engines queue by themselves, and turn nobody away: that is the gateway's to do.
    each, queue = layout.setup.slots, layout.options.queue
    prefill = tier(Prefill, "prefill", layout.prefill, each + queue).bind(single)
    decode = tier(Decode, "decode", layout.decode, each + queue).bind(single)
    # A few more than are let in, for those who are told so, and for /health and /metrics.
    gateway = tier(serve.ingress()(Gateway), "gateway", layout.gateway, layout.slots + queue + 64)
    gateway = gateway.options(user_config={"slots": layout.slots})
    return gateway.bind(single, prefill, decode)
