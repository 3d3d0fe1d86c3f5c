"""Requests that hold keys and values in a store, without a loop around them."""

from constraintlab.engine.request import Request, Sampling


def enter(kv, prompt, n=None, max_tokens=4):
    """A running request with `n` tokens computed, all of its prompt if not given."""
    request = Request("r", prompt, Sampling(max_tokens))
    request.admit(kv.attach(request))
    n = request.todo if n is None else n - request.computed
    if n > 0:
        kv.grow(request, n)
        request.advance(n)
    return request


def leave(kv, *requests):
    for request in requests:
        kv.release(request)
        kv.assert_consistent()
