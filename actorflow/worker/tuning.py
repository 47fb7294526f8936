"""How many slots a worker has, in the words of the public SDK: a tuner is made of suppliers of slots.

Slots are numbers here. A supplier of a fixed size is that number. One that follows the load of the machine is the
number it would stop at: what runs at the same time is bounded by it, and never by less because memory or processors
are busy. A supplier with code of its own is refused: an attempt starts within the turn that asks for it, so code that
waits, or fails, would hold the workflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from actorflow.core import limits
from actorflow.exceptions import UnsupportedOptionError
from actorflow.worker.suppliers import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    Kind,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    SlotSupplier,
)

_NO_CODE: Final = (
    "an attempt starts within the turn that asks for it, so a supplier's code, which may wait or fail, would hold all "
    "workflows"
)


class SlotCounts(NamedTuple):
    """How many slots a worker has."""

    activities: int
    local_activities: int


class WorkerTuner:
    """How many slots a worker has for each kind of work. Made by `create_fixed`, `create_resource_based` and
    `create_composite`; turns and Nexus have no slots here, so what is said of them is accepted without effect.
    """

    def __init__(self, suppliers: Mapping[Kind, SlotSupplier]) -> None:
        self._suppliers = suppliers

    @staticmethod
    def create_fixed(
        *,
        workflow_slots: int | None = None,
        activity_slots: int | None = None,
        local_activity_slots: int | None = None,
        nexus_slots: int | None = None,
    ) -> WorkerTuner:
        """A tuner of fixed numbers.

        Args:
            workflow_slots: accepted for ported programs.
            activity_slots: attempts of activities at the same time; 100 by default.
            local_activity_slots: the same of local activities; 100 by default.
            nexus_slots: accepted for ported programs.

        Raises (when a worker is made with it):
            ValueError: a number is not positive.
        """
        return WorkerTuner.create_composite(
            workflow_supplier=_fixed(workflow_slots),
            activity_supplier=_fixed(activity_slots),
            local_activity_supplier=_fixed(local_activity_slots),
            nexus_supplier=_fixed(nexus_slots),
        )

    @staticmethod
    def create_resource_based(
        *,
        target_memory_usage: float,
        target_cpu_usage: float,
        workflow_config: ResourceBasedSlotConfig | None = None,
        activity_config: ResourceBasedSlotConfig | None = None,
        local_activity_config: ResourceBasedSlotConfig | None = None,
        nexus_config: ResourceBasedSlotConfig | None = None,
    ) -> WorkerTuner:
        """A tuner of which here the largest numbers count.

        Args:
            target_memory_usage: see `ResourceBasedTunerConfig`.
            target_cpu_usage: see `ResourceBasedTunerConfig`.
            workflow_config: accepted for ported programs.
            activity_config: of activities, see `ResourceBasedSlotConfig`.
            local_activity_config: of local activities.
            nexus_config: accepted for ported programs.

        Raises (when a worker is made with it):
            ValueError: a number is not positive, a minimum is above its maximum, or a target is not from 0 to 1.
        """
        targets = ResourceBasedTunerConfig(target_memory_usage, target_cpu_usage)
        none = ResourceBasedSlotConfig()
        return WorkerTuner.create_composite(
            workflow_supplier=ResourceBasedSlotSupplier(workflow_config or none, targets),
            activity_supplier=ResourceBasedSlotSupplier(activity_config or none, targets),
            local_activity_supplier=ResourceBasedSlotSupplier(local_activity_config or none, targets),
            nexus_supplier=ResourceBasedSlotSupplier(nexus_config or none, targets),
        )

    @staticmethod
    def create_composite(
        *,
        workflow_supplier: SlotSupplier,
        activity_supplier: SlotSupplier,
        local_activity_supplier: SlotSupplier,
        nexus_supplier: SlotSupplier | None = None,
    ) -> WorkerTuner:
        """A tuner with a supplier of its own for each kind of work.

        Args:
            workflow_supplier: accepted for ported programs.
            activity_supplier: of slots for activities.
            local_activity_supplier: of slots for local activities.
            nexus_supplier: accepted for ported programs.

        Raises (when a worker is made with it):
            UnsupportedOptionError: a supplier has code of its own.
            ValueError: as for the other two, or suppliers that follow the load have different targets.
            TypeError: a supplier is none.
        """
        return WorkerTuner(
            {
                "workflow": workflow_supplier,
                "activity": activity_supplier,
                "local-activity": local_activity_supplier,
                "nexus": nexus_supplier or _fixed(None),
            }
        )

    def counts(self) -> SlotCounts:
        """How many slots that makes; raises what the constructors say."""
        targets = {
            supplier.tuner_config
            for supplier in self._suppliers.values()
            if isinstance(supplier, ResourceBasedSlotSupplier)
        }
        if len(targets) > 1:
            raise ValueError("all resource-based slot suppliers of a tuner must have the same tuner_config")
        found = {kind: _slots(kind, supplier) for kind, supplier in self._suppliers.items()}
        return SlotCounts(found["activity"], found["local-activity"])


def slot_counts(
    tuner: WorkerTuner | None,
    activities_max: int | None,
    local_activities_max: int | None,
    workflow_tasks_max: int | None,
) -> SlotCounts:
    """How many slots a worker has.

    Args:
        tuner: says it, if there is one.
        activities_max: says it for activities, if there is no tuner; the default is that of `limits`.
        local_activities_max: the same for local activities.
        workflow_tasks_max: nobody counts turns, but beside a tuner it contradicts, too.

    Raises:
        ValueError: both say it, or a number is not positive.
        UnsupportedOptionError, TypeError: see `WorkerTuner`.
    """
    if tuner is None:
        return SlotCounts(
            _positive("max_concurrent_activities", activities_max, limits.ACTIVITIES_CONCURRENT_MAX),
            _positive("max_concurrent_local_activities", local_activities_max, limits.LOCAL_ACTIVITIES_CONCURRENT_MAX),
        )
    if not isinstance(tuner, WorkerTuner):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"tuner must be a WorkerTuner, not {type(tuner).__name__}; see WorkerTuner.create_fixed")
    _check_alone(
        max_concurrent_activities=activities_max,
        max_concurrent_local_activities=local_activities_max,
        max_concurrent_workflow_tasks=workflow_tasks_max,
    )
    return tuner.counts()


def _check_alone(**bounds: int | None) -> None:
    given = [name for name, bound in bounds.items() if bound is not None]
    if given:
        raise ValueError(f"Cannot specify {given[0]} when also specifying tuner; say it in one of them")


def _fixed(slots: int | None) -> FixedSizeSlotSupplier:
    return FixedSizeSlotSupplier(limits.TUNED_SLOTS if slots is None else slots)


def _slots(kind: Kind, supplier: Any) -> int:
    match supplier:
        case FixedSizeSlotSupplier(num_slots=slots):
            return _positive(f"num_slots of the {kind} slots", slots, 0)
        case ResourceBasedSlotSupplier(slot_config=bounds, tuner_config=targets):
            _check_targets(targets)
            most = _positive(
                f"maximum_slots of the {kind} slots", bounds.maximum_slots, limits.RESOURCE_BASED_SLOTS_MAX
            )
            if bounds.minimum_slots is not None and bounds.minimum_slots > most:
                raise ValueError(
                    f"minimum_slots of the {kind} slots must not be above maximum_slots ({most}), but is "
                    f"{bounds.minimum_slots}"
                )
            return most
        case CustomSlotSupplier():
            raise UnsupportedOptionError(
                f"the CustomSlotSupplier of the {kind} slots", _NO_CODE, "use FixedSizeSlotSupplier"
            )
        case other:
            raise TypeError(f"the supplier of the {kind} slots must be a SlotSupplier, not {type(other).__name__}")


def _check_targets(targets: ResourceBasedTunerConfig) -> None:
    for name in ("target_memory_usage", "target_cpu_usage"):
        target = getattr(targets, name)
        if not 0 <= target <= 1:
            raise ValueError(f"{name} must be from 0 to 1, but is {target}")


def _positive(name: str, number: int | None, default: int) -> int:
    chosen = default if number is None else number
    if chosen < 1:
        raise ValueError(f"{name} must be positive, but is {chosen}")
    return chosen
