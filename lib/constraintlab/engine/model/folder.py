"""Where a checkpoint is: a folder, or the hub's own cache of it. No tensors."""

from __future__ import annotations

from pathlib import Path

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
WANTED = ("*.safetensors", "*.json", "*.jinja")


def folder_of(where: str | Path) -> Path:
    """`where` if it is a folder, else the hub's files in the hub's own cache."""
    path = Path(where)
    if path.is_dir():
        return path
    if path.suffix in PICKLES:
        raise ValueError(no_pickle(path.name))
    if path.suffix == ".gguf":
        raise ValueError(f"{path.name} is a GGUF: `constraintlab convert {path}` makes a folder")
    if path.exists():
        raise ValueError(f"{path} is a file: give the checkpoint's folder")
    if str(where).count("/") != 1 or str(where).startswith((".", "/", "~")):
        raise ValueError(f"there is no folder {where}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ValueError(
            f"there is no folder {where}; for the hub: pip install 'constraintlab[hub-models]'"
        ) from None
    return Path(snapshot_download(str(where), allow_patterns=list(WANTED)))


def no_pickle(names: str) -> str:
    """Why such files are not read."""
    return (
        f"{names}: pickle files run code when they are read, so they are refused: convert to "
        "safetensors (transformers' save_pretrained does), or find a safetensors checkpoint"
    )
