"""The public SDK's sandbox by name: programs may ask for it, and run as they always do here, without one.

Workflow code runs in the modules it was imported from. What a sandbox would catch, replay catches: a program that asks
for something else than its journal says is parked with a `NondeterminismError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from actorflow.workflow import SandboxImportNotificationPolicy

__all__ = ["SandboxMatcher", "SandboxRestrictions", "SandboxedWorkflowRunner", "UnsandboxedWorkflowRunner"]


@dataclass(frozen=True)
class SandboxMatcher:
    """Which names a sandbox would restrict; accepted for ported programs."""

    access: frozenset[str] | set[str] = frozenset()
    use: frozenset[str] | set[str] = frozenset()
    children: Mapping[str, SandboxMatcher] = field(default_factory=dict[str, "SandboxMatcher"])
    match_self: bool = False
    only_runtime: bool = False
    leaf_message: str | None = None
    leaf_warning: type[Warning] | None = None
    exclude: frozenset[str] | set[str] = frozenset()


@dataclass(frozen=True)
class SandboxRestrictions:
    """What a sandbox would restrict; accepted for ported programs."""

    passthrough_modules: frozenset[str] | set[str] = frozenset()
    invalid_modules: SandboxMatcher = SandboxMatcher()
    invalid_module_members: SandboxMatcher = SandboxMatcher()
    import_notification_policy: SandboxImportNotificationPolicy = SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
    passthrough_all_modules: bool = False

    default: ClassVar[SandboxRestrictions]
    """Where ported programs begin."""

    def with_passthrough_modules(self, *modules: str) -> SandboxRestrictions:
        """A copy that lets more modules through."""
        return replace(self, passthrough_modules=self.passthrough_modules | set(modules))

    def with_passthrough_all_modules(self) -> SandboxRestrictions:
        """A copy that lets every module through."""
        return replace(self, passthrough_all_modules=True)

    def with_import_notification_policy(self, policy: SandboxImportNotificationPolicy) -> SandboxRestrictions:
        """A copy with another policy."""
        return replace(self, import_notification_policy=policy)


SandboxRestrictions.default = SandboxRestrictions()


class SandboxedWorkflowRunner:
    """Accepted as a worker's ``workflow_runner``, and the same as `UnsandboxedWorkflowRunner`."""

    def __init__(
        self, restrictions: SandboxRestrictions = SandboxRestrictions.default, runner_class: Any = None
    ) -> None:
        self.restrictions = restrictions
        self.runner_class = runner_class


class UnsandboxedWorkflowRunner:
    """Accepted as a worker's ``workflow_runner``: workflows run without a sandbox, as they always do here."""
