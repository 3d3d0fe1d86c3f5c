"""Numbers as a person reads them: three digits, an SI prefix, and words for what is no number."""

from __future__ import annotations

import math

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""),
             (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))  # fmt: skip


def finite(value: float | None) -> bool:
    """True for a number that can be drawn: not None, NaN or infinite."""
    return value is not None and math.isfinite(value)


def si(value: float | None, unit: str = "") -> str:
    """`9.09 k tok/s`, `203 tok/s`, `22.0 GB/s`; `n/a` for None and NaN, `unbounded` for inf.

    A unit with a symbol of its own takes the prefix (`GB/s`, `ms`); a count of things keeps it
    apart (`k tok/s`); a bare rate is written `12.3 k/s`.
    """
    if value is None or math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "unbounded" if value > 0 else "n/a"
    digits, prefix = _scaled(value)
    unit = unit.removeprefix("1") if unit.startswith("1/") else unit
    glued = unit[:1].isupper() or unit[:1] == "/" or unit == "s"
    return f"{digits} {prefix}{'' if glued or not prefix or not unit else ' '}{unit}".strip()


def _scaled(value: float) -> tuple[str, str]:
    size = abs(value)
    if size < 1e-9:
        return "0", ""
    # 999.6 reads 1.00 k, not 1000: the limit is where rounding reaches the next prefix.
    limit, prefix = next((p for p in _PREFIXES if size >= 0.9995 * p[0]), _PREFIXES[-1])
    scaled = value / limit
    if abs(scaled) >= 9999.5:
        return f"{scaled:.2e}", prefix
    whole = 1 if abs(scaled) < 9.995 else 2 if abs(scaled) < 99.95 else 3
    text = f"{scaled:.{3 - whole}f}"
    if not prefix and abs(scaled) < 100 and float(scaled).is_integer():
        text = f"{scaled:.0f}"
    return text, prefix


def times(factor: float | None) -> str:
    """`×2.8`, `×1.04` where one digit would say nothing, `unbounded`, `n/a`."""
    if factor is None or math.isnan(factor) or factor == -math.inf:
        return "n/a"
    if math.isinf(factor):
        return "unbounded"
    if factor >= 99.5:
        return f"×{si(factor)}"
    if 0 < factor < 0.095:
        return f"×{factor:.1g}"
    return f"×{factor:.1f}" if factor >= 1.095 or factor < 0.905 else f"×{factor:.2f}"


def percent(share: float | None) -> str:
    """`7.8%`, `96%`, `n/a`: one decimal below 10% only."""
    if not finite(share):
        return "n/a"
    if 0 < abs(share) < 0.0005:
        return "under 0.1%"
    return f"{100 * share:.1f}%" if 0 < abs(share) < 0.0995 else f"{100 * share:.0f}%"
