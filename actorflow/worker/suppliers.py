"""Suppliers of slots, in the words of the public SDK; what they mean here is said in `actorflow.worker.tuning`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Kind = Literal["workflow", "activity", "local-activity", "nexus"]


@dataclass(frozen=True)
class FixedSizeSlotSupplier:
    """So many slots.

    Attributes:
        num_slots: how many.
    """

    num_slots: int


@dataclass(frozen=True)
class ResourceBasedTunerConfig:
    """How busy the machine may be; accepted for ported programs, nobody measures it.

    Attributes:
        target_memory_usage: from 0 to 1.
        target_cpu_usage: from 0 to 1.
    """

    target_memory_usage: float
    target_cpu_usage: float


@dataclass(frozen=True)
class ResourceBasedSlotConfig:
    """Between how many slots and how many.

    Attributes:
        minimum_slots: accepted for ported programs: there are always as many as there may be.
        maximum_slots: how many there are; by default `limits.RESOURCE_BASED_SLOTS_MAX`.
        ramp_throttle: accepted for ported programs; slots are there at once.
    """

    minimum_slots: int | None = None
    maximum_slots: int | None = None
    ramp_throttle: timedelta | None = None


@dataclass(frozen=True)
class ResourceBasedSlotSupplier:
    """As many slots as its configuration has at most."""

    slot_config: ResourceBasedSlotConfig
    tuner_config: ResourceBasedTunerConfig


class SlotPermit:
    """What a `CustomSlotSupplier` gives out; refused with it."""


class SlotReserveContext(Protocol):
    """For what a slot is asked."""

    slot_type: Kind
    """Which kind of work it is for."""
    task_queue: str
    """Whose work it is for."""
    worker_identity: str
    """Who asks."""
    worker_build_id: str
    """Empty, since there is one version of the code."""
    is_sticky: bool
    """False."""


@runtime_checkable
class WorkflowSlotInfo(Protocol):
    """A slot used by a turn."""

    workflow_type: str
    is_sticky: bool


@runtime_checkable
class ActivitySlotInfo(Protocol):
    """A slot used by an activity."""

    activity_type: str


@runtime_checkable
class LocalActivitySlotInfo(Protocol):
    """A slot used by a local activity."""

    activity_type: str


@runtime_checkable
class NexusSlotInfo(Protocol):
    """A slot used by a Nexus operation, of which there are none."""

    service: str
    operation: str


SlotInfo: TypeAlias = WorkflowSlotInfo | ActivitySlotInfo | LocalActivitySlotInfo | NexusSlotInfo


@dataclass(frozen=True)
class SlotMarkUsedContext:
    """A slot that is used now."""

    slot_info: SlotInfo
    permit: SlotPermit


@dataclass(frozen=True)
class SlotReleaseContext:
    """A slot that is free again."""

    slot_info: SlotInfo | None
    permit: SlotPermit


class CustomSlotSupplier(ABC):
    """A supplier with code of its own, so that ported modules can be imported; a `Worker` refuses it by name."""

    @abstractmethod
    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for a slot."""

    @abstractmethod
    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """A slot, if there is one."""

    @abstractmethod
    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """A slot is used."""

    @abstractmethod
    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """A slot is free again."""


SlotSupplier: TypeAlias = FixedSizeSlotSupplier | ResourceBasedSlotSupplier | CustomSlotSupplier
