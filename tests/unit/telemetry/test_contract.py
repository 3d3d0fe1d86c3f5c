"""What `source.Source` promises, asked of every source as this machine has it."""

import pytest

from constraintlab.telemetry.host import HostSource
from constraintlab.telemetry.metrics_source import MetricsSource
from constraintlab.telemetry.names import NAMES, quantity, under
from constraintlab.telemetry.nvml import NvmlSource
from constraintlab.telemetry.process import ProcessSource
from constraintlab.telemetry.source import Reading, Source, all_absent
from constraintlab.telemetry.torch_memory import TorchMemory
from constraintlab.telemetry.work import WorkCounter
from tests.unit.telemetry.fakes import FakeNvml

SOURCES = {
    "host": (HostSource, "host"),
    "process": (ProcessSource, "proc"),
    "torch": (TorchMemory, "torch"),
    "nvml": (NvmlSource, "gpu"),
    "invented GPU": (lambda: NvmlSource(nvml=FakeNvml()), "gpu"),
    "work": (WorkCounter, "work"),
    "server that is not there": (lambda: MetricsSource("http://127.0.0.1:9"), "server"),
}


@pytest.fixture(params=SOURCES)
def kind(request):
    return SOURCES[request.param]


@pytest.fixture
def source(kind):
    source = kind[0]()
    yield source
    source.close()


def test_it_is_a_source(source):
    assert isinstance(source, Source) and source.name


def test_the_names_are_the_same_at_every_read_and_all_documented(source, kind):
    readings = [source.read() for _ in range(3)]
    source.close()
    source.close()
    readings.append(source.read())
    assert {frozenset(r) for r in readings} == {frozenset(under(kind[1]))}


def test_every_value_is_a_finite_number_or_absent_with_a_reason(source):
    source.read()
    for reading in source.read().values():
        assert isinstance(reading, Reading)
        assert reading.value is None or isinstance(reading.value, int | float)
        assert reading.source in {"measured", "counted"} or len(reading.source) > len("n/a: ")


def test_closing_before_the_first_read_and_twice_raises_nothing(kind):
    source = kind[0]()
    source.close()
    source.close()


def test_a_value_is_none_exactly_where_it_is_absent():
    for value, source in [(None, "measured"), (1.0, "n/a: why")]:
        with pytest.raises(ValueError, match="only n/a has None"):
            Reading(value, source)
    assert Reading.measured(float("nan")).source == "n/a: not a finite number"
    assert all_absent(["a", "b"], "why") == dict.fromkeys("ab", Reading(None, "n/a: why"))


def test_the_second_gpus_names_mean_what_the_firsts_do():
    assert quantity("gpu1.power_w").unit == NAMES["gpu.power_w"].unit == "W"
    assert quantity("gpu1.power_w").meaning == "GPU 1: power drawn"
    assert quantity("gpux.power_w").meaning == "gpux.power_w"
    assert quantity("unheard.of").unit == ""
