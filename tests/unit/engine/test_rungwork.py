"""A decoder that prefills by an older rung counts what that rung counts, layer by layer."""

from types import SimpleNamespace

import pytest
import torch

from constraintlab.attention import naive, paged
from constraintlab.attention.rung import Shape, total
from constraintlab.engine.model import rungwork, work
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.presets import preset

CONFIG, WEIGHTS = preset("nano")
NEW, KEYS = [1, 40, 7], [30, 40, 19]


def counted(rung):
    step = SimpleNamespace(new=NEW, seq_lens=torch.tensor(KEYS), wanted=[0, 1])
    return {k.name: k for k in Decoder(CONFIG, WEIGHTS, prefill=rung).work(step)}


def test_the_prompts_attention_is_the_naive_rung_s_in_every_layer():
    found, c = counted("naive"), CONFIG
    shapes = [
        Shape(1, c.heads, c.kv_heads, t, k, c.head_dim, torch.float32)
        for t, k in zip(NEW[1:], KEYS[1:], strict=True)
    ]
    for kernel in naive.kernels(shapes[0]):
        exact = [k for s in shapes for k in naive.kernels(s) if k.name == kernel.name]
        here = found[kernel.name].work(len(NEW))
        assert here.bytes >= c.layers * sum(k.each.bytes for k in exact) * (1 - 1e-9)
    flops = c.layers * sum(total(naive.kernels(s)).flops for s in shapes)
    mine = [found[n].work(len(NEW)).flops for n in ("q·kᵀ", "·v")]
    assert sum(mine) == pytest.approx(flops)


@pytest.mark.parametrize("rung", paged.RUNGS)
def test_only_the_decode_is_left_to_the_usual_count(rung):
    decode = {k.name: k for k in work.kernels(CONFIG, [1], [30], 1)}["attention"]
    assert counted(rung)["attention"].work(len(NEW)).flops == decode.work(1).flops
    assert counted("auto")["attention"].work(len(NEW)).flops > decode.work(1).flops


def test_a_gpus_allocator_hands_out_no_fresh_pages():
    long = [3000]
    cpu, gpu = (rungwork.kernels("naive", CONFIG, long, long, d) for d in ("cpu", "cuda"))
    assert sum(k.each.fresh for k in cpu) > 0 == sum(k.each.fresh for k in gpu)
    assert sum(k.each.flops for k in cpu) == sum(k.each.flops for k in gpu)
