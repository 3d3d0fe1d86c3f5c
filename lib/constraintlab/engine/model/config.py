"""What a decoder is, as numbers: one description for the Llama, Qwen2, Qwen3 and Gemma 3 families.

Where families differ there is a field, never a branch on the family's name: the decoder reads
whether keys are normalised, not whether it is a Qwen.
"""

from __future__ import annotations

from dataclasses import dataclass

from constraintlab.engine.model.rope import Rope

WIDTH = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of one value, for each dtype that weights may have."""

ACTIVATIONS = ("silu", "gelu_tanh")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a decoder-only transformer; `hf.config_of` reads one from a `config.json`.

    windows: for each layer how many of the newest keys a query sees, None for all. A layer with a
    window turns its positions by `local_rope`, where there is one. scale: what scores are
    multiplied with. norm_offset: added to every norm's stored weight (Gemma stores w − 1).
    post_norms: attention's and the MLP's results are normalised too, before they are added.
    Raises ValueError for sizes that do not fit together.
    """

    vocab: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    rope: Rope
    windows: tuple[int | None, ...]
    scale: float
    local_rope: Rope | None = None
    family: str = "llama"
    eps: float = 1e-6
    activation: str = "silu"
    qkv_bias: bool = False
    qk_norm: bool = False
    post_norms: bool = False
    norm_offset: float = 0.0
    embed_scale: float = 1.0
    tied: bool = False
    max_positions: int = 8192
    dtype: str = "bfloat16"
    eos: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        sizes = ("vocab", "hidden", "layers", "heads", "kv_heads", "head_dim", "ffn")
        for name in (*sizes, "max_positions"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}: it must be a whole number, 1 or more")
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.heads} query heads can't share {self.kv_heads} KV heads: make one a "
                "multiple of the other"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim is {self.head_dim}: positions turn pairs, so make it even")
        if len(self.windows) != self.layers:
            raise ValueError(f"windows has {len(self.windows)} entries for {self.layers} layers")
        if any(w is not None and w < 1 for w in self.windows):
            raise ValueError("windows: each is 1 or more keys, or None for all")
        if self.dtype not in WIDTH:
            raise ValueError(f"dtype {self.dtype!r} is not supported: use {', '.join(WIDTH)}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}: use {' or '.join(ACTIVATIONS)}")

    @property
    def width(self) -> int:
        """Bytes of one value."""
        return WIDTH[self.dtype]

    @property
    def layer_matrices(self) -> int:
        """Weights of one layer that a token is multiplied with: qkv, output, gate, up, down."""
        q, kv = self.heads * self.head_dim, 2 * self.kv_heads * self.head_dim
        return self.hidden * (q + kv + q + 3 * self.ffn)

    @property
    def layer_vectors(self) -> int:
        """Weights of one layer's norms and biases."""
        norms = self.hidden * (4 if self.post_norms else 2)
        bias = (self.heads + 2 * self.kv_heads) * self.head_dim if self.qkv_bias else 0
        return norms + bias + (2 * self.head_dim if self.qk_norm else 0)

    @property
    def embedding(self) -> int:
        """Weights of the embedding table, and of the head that gives logits."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """All weights; a head that is tied to the embedding counts once."""
        layers = self.layers * (self.layer_matrices + self.layer_vectors)
        return layers + self.hidden + self.embedding * (1 if self.tied else 2)

    @property
    def step_bytes(self) -> int:
        """Bytes of weights that one decode step reads: every layer and the head, once.

        Of the embedding it reads a row a token, which is not counted here.
        """
        layers = self.layers * (self.layer_matrices + self.layer_vectors)
        return (layers + self.hidden + self.embedding) * self.width

    @property
    def kv_bytes(self) -> int:
        """Bytes of KV that one token takes: 2 · layers · kv_heads · head_dim · width."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.width
