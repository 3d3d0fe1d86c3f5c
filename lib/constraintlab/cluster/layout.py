"""`Layout`: how many replicas of each tier, of what, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from constraintlab.engine.setup import Setup
from constraintlab.serving.options import Options

TIERS = ("gateway", "prefill", "decode")


@dataclass(frozen=True)
class Layout:
    """What to run. gateway, prefill, decode: replicas. setup: of each engine, prefill and decode
    alike; its KV pool, its slots and its threads are one replica's own. options: of the HTTP
    interface. cpus: what Ray reserves for a replica; a fraction lets more of them than cores run
    on one machine. simulated_ms: a step of an engine takes so long, as if a device did the work; 0
    for the real time. retries: how often a request is begun again elsewhere when a replica that
    had it is gone, before its client gets an error. Raises ValueError that names the fix.
    """

    gateway: int = 1
    prefill: int = 1
    decode: int = 1
    setup: Setup = field(default_factory=lambda: Setup(threads=1, blocks=1024, words=True))
    options: Options = field(default_factory=Options)
    cpus: float = 0.1
    simulated_ms: float = 0.0
    retries: int = 2

    def __post_init__(self) -> None:
        for tier in TIERS:
            if getattr(self, tier) < 1:
                raise ValueError(f"{tier}={getattr(self, tier)}: give 1 replica or more")
        if self.cpus < 0 or self.simulated_ms < 0 or self.retries < 0:
            raise ValueError(
                f"cpus={self.cpus}, simulated_ms={self.simulated_ms}, retries={self.retries}: "
                "give 0 or more"
            )

    @property
    def name(self) -> str:
        """The model's, to clients: it says so in every answer when the device is simulated."""
        name = self.options.name or self.setup.model
        return f"{name}-simulated-{self.simulated_ms:g}ms" if self.simulated_ms else name

    @property
    def seconds(self) -> float:
        """Of a simulated step; 0: not simulated."""
        return self.simulated_ms / 1000

    @property
    def slots(self) -> int:
        """What a gateway admits requests by: its share of the slots of all decode replicas."""
        return max(1, self.setup.slots * self.decode // self.gateway)

    @property
    def single(self) -> Layout:
        """The same with one replica of each: what no replica needs to know of the others."""
        return replace(self, gateway=1, prefill=1, decode=1)
