"""`Fault`: what may be wrong with a server, as data: what is accused, and what gives it away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """name: its key. accused: what whoever suspects it says. where: the component that has it.
    signs: where it showed, told after the round. load: offered ÷ what the server does unharmed.
    """

    name: str
    accused: str
    where: str
    signs: str
    load: float = 0.5


FAULTS = (
    Fault(
        "nothing",
        "Nothing is wrong",
        "nowhere",
        "The server did what was asked of it, no queue, no stage larger than the others. Who "
        "accused somebody raised a false alarm.",
    ),
    Fault(
        "detokeniser",
        "The detokeniser is slow",
        "the engine's process, between a drawn token and its text",
        "Every queue was empty and the KV pool half empty. Of the stages of a token's way, "
        "`detokenise` took most, and the time between tokens grew with the batch.",
    ),
    Fault(
        "leak",
        "The KV pool leaks",
        "the KV store, as a request leaves",
        "The pool filled up while no more requests ran than before, and what was taken stayed "
        "taken as they left; when it was full, requests waited for room.",
        load=0.8,
    ),
    Fault(
        "link",
        "The link is throttled",
        "between the server and its users",
        "Tokens waited in the server's send queues, its readers counted as slow, and the engine "
        "had time to spare.",
    ),
    Fault(
        "closed",
        "The load's clients are not an open loop",
        "the load generator, which waits for answers before it sends",
        "The slots were full all the time and nothing ever waited: whoever measures the time to "
        "the first token here measures a load that backs off. Fewer requests came than were said.",
        load=1.5,
    ),
    Fault(
        "prefill",
        "Long prompts starve the decodes",
        "the scheduler, which lets a step compute a whole prompt",
        "The mean time between tokens was fine and its tail was not; steps of more than a thousand "
        "tokens stood beside steps of a few, and nothing waited.",
    ),
    Fault(
        "metric",
        "A metric says zero and is not",
        "the exporter, which has the number of waiting requests under another name",
        "`num_requests_waiting` was zero to the end while the time to the first token grew and "
        "grew, and requests spent it before their admission.",
        load=1.3,
    ),
)
"""The suspects, in the order in which they are offered."""

BY_NAME = {fault.name: fault for fault in FAULTS}
