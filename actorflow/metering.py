"""Counters, histograms and gauges of a program's own; names and signatures follow the Temporal Python SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import ClassVar, Literal, NamedTuple, Self

MetricAttributes = Mapping[str, str | int | float | bool]
"""What tells the series of a metric apart."""

InstrumentKind = Literal["counter", "gauge", "histogram"]


class Instrument(NamedTuple):
    """What is measured. ``unit`` is for people."""

    kind: InstrumentKind
    name: str
    description: str | None = None
    unit: str | None = None


Record = Callable[[Instrument, float, MetricAttributes], None]
"""Takes a value of an instrument; any thread may call it."""


class MetricCommon:
    """What all instruments have: a name, and attributes that every value of them carries."""

    def __init__(self, instrument: Instrument, record: Record, attributes: MetricAttributes) -> None:
        self._instrument = instrument
        self._take = record
        self._attributes = attributes

    @property
    def name(self) -> str:
        """As it was created with."""
        return self._instrument.name

    @property
    def description(self) -> str | None:
        """As it was created with."""
        return self._instrument.description

    @property
    def unit(self) -> str | None:
        """As it was created with."""
        return self._instrument.unit

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> Self:
        """The same instrument, whose values carry these attributes, too."""
        return type(self)(self._instrument, self._take, {**self._attributes, **additional_attributes})

    def _record(self, value: float, additional_attributes: MetricAttributes | None) -> None:
        if value < 0:
            raise ValueError(f"a value of metric {self.name!r} must not be negative, but is {value}")
        attributes = {**self._attributes, **additional_attributes} if additional_attributes else self._attributes
        self._take(self._instrument, value, attributes)


class MetricCounter(MetricCommon):
    """Only rises."""

    def add(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        """Raise it; ValueError if the value is negative."""
        self._record(value, additional_attributes)


class MetricHistogram(MetricCommon):
    """How whole numbers are distributed."""

    def record(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        """Take a value; ValueError if it is negative."""
        self._record(value, additional_attributes)


class MetricHistogramFloat(MetricCommon):
    """How numbers are distributed."""

    def record(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        """Take a value; ValueError if it is negative."""
        self._record(value, additional_attributes)


class MetricHistogramTimedelta(MetricCommon):
    """How durations are distributed; counted in seconds."""

    def record(self, value: timedelta, additional_attributes: MetricAttributes | None = None) -> None:
        """Take a duration; ValueError if it is negative."""
        self._record(value.total_seconds(), additional_attributes)


class MetricGauge(MetricCommon):
    """A whole number that is what it was set to last."""

    def set(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        """Set it; ValueError if the value is negative."""
        self._record(value, additional_attributes)


class MetricGaugeFloat(MetricCommon):
    """A number that is what it was set to last."""

    def set(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        """Set it; ValueError if the value is negative."""
        self._record(value, additional_attributes)


class MetricMeter:
    """Makes instruments whose values go to one place; instruments of one name and kind are one metric.

    Args:
        record: takes the values.
        attributes: that every value carries.
    """

    noop: ClassVar[MetricMeter]
    """Makes instruments that count nothing."""

    def __init__(self, record: Record, attributes: MetricAttributes) -> None:
        self._record = record
        self._attributes = attributes

    def create_counter(self, name: str, description: str | None = None, unit: str | None = None) -> MetricCounter:
        """A counter."""
        return MetricCounter(Instrument("counter", name, description, unit), self._record, self._attributes)

    def create_histogram(self, name: str, description: str | None = None, unit: str | None = None) -> MetricHistogram:
        """A histogram of whole numbers."""
        return MetricHistogram(Instrument("histogram", name, description, unit), self._record, self._attributes)

    def create_histogram_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramFloat:
        """A histogram of numbers."""
        return MetricHistogramFloat(Instrument("histogram", name, description, unit), self._record, self._attributes)

    def create_histogram_timedelta(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramTimedelta:
        """A histogram of durations, in seconds."""
        instrument = Instrument("histogram", name, description, unit or "s")
        return MetricHistogramTimedelta(instrument, self._record, self._attributes)

    def create_gauge(self, name: str, description: str | None = None, unit: str | None = None) -> MetricGauge:
        """A gauge of a whole number."""
        return MetricGauge(Instrument("gauge", name, description, unit), self._record, self._attributes)

    def create_gauge_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricGaugeFloat:
        """A gauge."""
        return MetricGaugeFloat(Instrument("gauge", name, description, unit), self._record, self._attributes)

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> MetricMeter:
        """A meter whose instruments carry these attributes, too."""
        return MetricMeter(self._record, {**self._attributes, **additional_attributes})


def _nowhere(_instrument: Instrument, _value: float, _attributes: MetricAttributes) -> None:
    """Nobody counts."""


MetricMeter.noop = MetricMeter(_nowhere, {})
