"""Which requests an engine can never run, said before they wait."""

from __future__ import annotations

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.request import Request


def refusal(request: Request, kv: KVStore, longest: float, *, speaks: bool) -> str:
    """Why a request can never run, '' if it can.

    longest: tokens that the model takes, prompt and answer together. speaks: whether the engine
    has a tokenizer, which stop strings need.
    """
    if request.sampling.stop and not speaks:
        return "stop strings need a tokenizer, and this engine has none: use stop_tokens"
    if request.most >= longest:
        return (
            f"a prompt of {len(request.prompt)} tokens and max_tokens="
            f"{request.sampling.max_tokens} are more than the {longest} that the model "
            "takes: shorten the prompt or lower max_tokens"
        )
    return kv.refuse(request)
