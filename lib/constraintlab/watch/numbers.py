"""How numbers are written below a verdict."""

from __future__ import annotations


def amount(value: float, unit: str = "") -> str:
    """`12.3 ms`, `1.5 s`, `97%`, `128`, `4.2/s`, `0 B`. unit: `s` for seconds, `%` for a share, or
    what stands behind the number."""
    if unit == "%":
        return f"{value:.0%}"
    if unit == "s":
        if value < 0.9995:
            return f"{value * 1e3:.3g} ms"
        return f"{value:.3g} s" if value < 99.95 else f"{value:,.0f} s"
    unit = f" {unit}" if unit[:1].isalpha() else unit
    whole = value >= 9.95 or value == int(value)
    return f"{value:,.0f}{unit}" if whole else f"{value:.2g}{unit}"
