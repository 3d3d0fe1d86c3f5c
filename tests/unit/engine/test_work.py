"""Counted work of a pass, against counting every score one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.model import hf
from constraintlab.engine.model.work import kernels

from .tiny import FAMILIES

CONFIG = hf.from_dict(FAMILIES["gemma3"])
sequences = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=4)


def named(found):
    return {k.name: k for k in found}


@given(sequences)
def test_scores_and_keys_are_those_that_masks_and_windows_keep(sizes):
    new, keys = [n for n, _ in sizes], [n + past for n, past in sizes]
    seen, read = 0, 0
    for window in CONFIG.windows:
        for n, k in zip(new, keys, strict=True):
            rows = [
                {j for j in range(k) if j <= i and (window is None or i - j < window)}
                for i in range(k - n, k)
            ]
            seen += sum(map(len, rows))
            read += len(set.union(*rows))
    found = named(kernels(CONFIG, new, keys, len(new)))
    b = len(new)
    assert found["attention"].work(b).flops == pytest.approx(4 * seen * 4 * 32)
    assert found["softmax"].work(b).flops == pytest.approx(seen * 4)
    tokens = sum(new) * CONFIG.layers
    moved = 2 * (read + tokens) * CONFIG.kv_heads * 32 + 2 * tokens * 4 * 32
    assert found["attention"].work(b).bytes == pytest.approx(moved * 4)


def test_weights_are_read_once_however_many_share_them():
    one = named(kernels(CONFIG, [1], [9], 1))
    many = named(kernels(CONFIG, [1] * 8, [9] * 8, 8))
    for name in ("layers", "head"):
        assert one[name].fixed == many[name].fixed and one[name].each == many[name].each
    fixed = sum(k.fixed.bytes for k in one.values())
    vectors = CONFIG.layers * CONFIG.layer_vectors + CONFIG.hidden
    assert fixed == CONFIG.step_bytes - vectors * CONFIG.width
    assert many["layers"].work(8).flops == 8 * one["layers"].work(1).flops


def test_units_name_what_computes():
    units = {k.name: k.unit for k in kernels(CONFIG, [1], [9], 1)}
    assert units == {
        "layers": "float32", "attention": "float32", "softmax": "exp", "head": "float32",
    }  # fmt: skip


def test_a_head_that_gives_no_logits_is_not_read():
    assert named(kernels(CONFIG, [4], [4], 0))["head"].work(1).bytes == 0
