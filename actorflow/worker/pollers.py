"""How a worker would ask a server for work, in the words of the public SDK: accepted, since nobody is asked here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PollerBehaviorSimpleMaximum:
    """So many polls at the same time."""

    maximum: int = 5


@dataclass(frozen=True)
class PollerBehaviorAutoscaling:
    """As many polls as there is work for, between two bounds."""

    minimum: int = 1
    maximum: int = 100
    initial: int = 5


PollerBehavior = PollerBehaviorSimpleMaximum | PollerBehaviorAutoscaling
