"""A GGUF's vocabulary as a `tokenizer.json`.

A GGUF keeps tokens with scores (SentencePiece) or with merges (byte-level BPE), and no tokenizer.
Both are BPE: where merges are missing, a token that is the sum of two others is one, and a token's
score says which merge comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
"""GGUF's `tokenizer.ggml.token_type`."""

SPACE = "\u2581"

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}NUMBERS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    "llama-bpe": WORDS.replace("NUMBERS", "{1,3}"),
    "llama3": WORDS.replace("NUMBERS", "{1,3}"),
    "llama-v3": WORDS.replace("NUMBERS", "{1,3}"),
    "qwen2": WORDS.replace("NUMBERS", ""),
    "deepseek-r1-qwen": WORDS.replace("NUMBERS", ""),
}
"""Each `tokenizer.ggml.pre` that is supported, and how it cuts text into words before merging."""


@dataclass(frozen=True)
class Vocabulary:
    """What a GGUF's `tokenizer.ggml.*` fields say."""

    tokens: Sequence[str]
    types: Sequence[int]
    scores: Sequence[float] | None
    merges: Sequence[str] | None
    model: str
    pre: str
    bos: int | None
    add_bos: bool
    add_space: bool

    @classmethod
    def of(cls, fields: Mapping) -> Vocabulary:
        """From a GGUF's fields; ValueError where there is no vocabulary, or of another kind."""
        g = {
            key.removeprefix("tokenizer.ggml."): value
            for key, value in fields.items()
            if key.startswith("tokenizer.ggml.")
        }
        if "tokens" not in g:
            raise ValueError("the file has no vocabulary (tokenizer.ggml.tokens)")
        model = g.get("model")
        if model not in ("llama", "gpt2"):
            raise ValueError(f"tokenizer {model!r} is not supported: llama and gpt2 are")
        sentencepiece = model == "llama"
        tokens = g["tokens"]
        if sentencepiece:
            # Runs of spaces are stored as they are, all other spaces as ▁.
            tokens = [SPACE * len(t) if t.strip(" ") == "" else t for t in tokens]
        return cls(
            tokens, g.get("token_type", [NORMAL] * len(tokens)), g.get("scores"), g.get("merges"),
            model, g.get("pre", "default"), g.get("bos_token_id"),
            g.get("add_bos_token", sentencepiece), g.get("add_space_prefix", True),
        )  # fmt: skip

    def of_type(self, kind: int) -> list[str]:
        return [t for t, k in zip(self.tokens, self.types, strict=True) if k == kind]


def tokenizer(fields: Mapping) -> Tokenizer:
    """The tokenizer that a GGUF describes; ValueError for one that is not supported."""
    v = Vocabulary.of(fields)
    made = _sentencepiece(v, fields["general.architecture"]) if v.model == "llama" else _bytes(v)
    made.add_special_tokens([AddedToken(t, normalized=False) for t in v.of_type(CONTROL)])
    made.add_tokens([AddedToken(t, normalized=False) for t in v.of_type(USER)])
    if v.add_bos and v.bos is not None:
        bos = v.tokens[v.bos]
        made.post_processor = TemplateProcessing(
            single=[bos, "$A"], pair=[bos, "$A", bos, "$B:1"], special_tokens=[(bos, v.bos)]
        )
    return made


def _sentencepiece(v: Vocabulary, architecture: str) -> Tokenizer:
    """Spaces are part of words, as ▁; what no token spells is spelled in bytes."""
    # Gemma's scores do not follow the order in which it was learned; its ids do.
    by_id = architecture == "gemma3" or v.scores is None
    rank = [-i for i in range(len(v.tokens))] if by_id else v.scores
    unknown = v.of_type(UNKNOWN) or ["<unk>"]
    made = Tokenizer(
        models.BPE(
            vocab={t: i for i, t in enumerate(v.tokens)},
            merges=_merges(v) if v.merges else implied_merges(v.tokens, v.types, rank),
            unk_token=unknown[0],
            fuse_unk=True,
            byte_fallback=bool(v.of_type(BYTE)),
        )
    )
    spaces = normalizers.Replace(" ", SPACE)
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    made.normalizer = spaces
    if v.add_space:
        made.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaces])
        steps.append(decoders.Strip(" ", 1, 0))
    made.decoder = decoders.Sequence(steps)
    return made


def _bytes(v: Vocabulary) -> Tokenizer:
    """Words first, then merges of their bytes, each byte a printable character."""
    if v.merges is None:
        raise ValueError("the file has no merges (tokenizer.ggml.merges)")
    if v.pre not in SPLITS:
        raise ValueError(f"tokenizer.ggml.pre {v.pre!r} is not supported: {', '.join(SPLITS)} are")
    llama = SPLITS[v.pre] == SPLITS["llama3"]
    made = Tokenizer(
        models.BPE(
            vocab={t: i for i, t in enumerate(v.tokens)}, merges=_merges(v), ignore_merges=llama
        )
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITS[v.pre]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    if not llama:
        made.normalizer = normalizers.NFC()
    made.decoder = decoders.ByteLevel()
    return made


def _merges(v: Vocabulary) -> list[tuple[str, str]]:
    return [tuple(merge.split(" ", 1)) for merge in v.merges]


def implied_merges(
    tokens: Sequence[str], types: Sequence[int], rank: Sequence[float]
) -> list[tuple[str, str]]:
    """Every pair of tokens that together are a token, those of the highest rank first."""
    parts = {t for t, kind in zip(tokens, types, strict=True) if kind in (NORMAL, USER)}
    found = []
    for token, kind, worth in zip(tokens, types, rank, strict=True):
        if kind not in (NORMAL, USER):
            continue
        for cut in range(1, len(token)):
            if token[:cut] in parts and token[cut:] in parts:
                found.append((-worth, token[:cut], token[cut:]))
    found.sort(key=lambda merge: merge[0])
    return [(left, right) for _, left, right in found]
