"""Numbers below a verdict are as people write them, whatever their size."""

import pytest

from constraintlab.watch.numbers import amount


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0123, "s", "12.3 ms"), (0.9997, "s", "1 s"), (1.5, "s", "1.5 s"),
        (1234.0, "s", "1,234 s"), (0.971, "%", "97%"), (128.4, "", "128"), (99.7, "", "100"),
        (45.6, "/s", "46/s"), (4.24, "/s", "4.2/s"), (7.0, "", "7"), (0.0, "s", "0 ms"),
        (0.0, "B", "0 B"), (2048.0, "B", "2,048 B"),
    ],
)  # fmt: skip
def test_no_number_has_an_exponent(value, unit, said):
    assert amount(value, unit) == said
