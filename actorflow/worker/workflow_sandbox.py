"""The public SDK's sandbox by name; what keeps watch here is a guard, and nothing is imported again.

Workflow code runs in the modules it was imported from. While it runs, I/O is refused with a
`RestrictedWorkflowAccessError`; in development mode clocks, chance, threads and sleeping are, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from actorflow.exceptions import RestrictedWorkflowAccessError
from actorflow.workflow import SandboxImportNotificationPolicy

__all__ = [
    "RestrictedWorkflowAccessError",
    "SandboxMatcher",
    "SandboxRestrictions",
    "SandboxedWorkflowRunner",
    "UnsandboxedWorkflowRunner",
]


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
    """What workflow code may do all the same.

    Attributes:
        passthrough_modules: their code, and what it calls, is free of the guard; submodules are, too.
        passthrough_all_modules: all code is: there is no guard.
        invalid_modules: accepted for ported programs, as are all others.
    """

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
        """A copy that lets every module through, so that there is no guard."""
        return replace(self, passthrough_all_modules=True)

    def with_import_notification_policy(self, policy: SandboxImportNotificationPolicy) -> SandboxRestrictions:
        """A copy with another policy."""
        return replace(self, import_notification_policy=policy)


SandboxRestrictions.default = SandboxRestrictions()


class SandboxedWorkflowRunner:
    """As a worker's ``workflow_runner``: workflow code is guarded, as it is by default, but for what is let through.

    Args:
        restrictions: what is let through.
        runner_class: accepted for ported programs.
    """

    def __init__(
        self, restrictions: SandboxRestrictions = SandboxRestrictions.default, runner_class: Any = None
    ) -> None:
        self.restrictions = restrictions
        self.runner_class = runner_class


class UnsandboxedWorkflowRunner:
    """As a worker's ``workflow_runner``: workflow code is not guarded; replay still checks it."""
