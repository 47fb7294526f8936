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
    "WorkflowRunner",
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

    none: ClassVar[SandboxMatcher]
    """Matches nothing."""
    all: ClassVar[SandboxMatcher]
    """Matches everything; ``all_runtime`` only while workflow code runs."""
    all_runtime: ClassVar[SandboxMatcher]
    all_uses: ClassVar[SandboxMatcher]
    """Matches every use; ``all_uses_runtime`` only while workflow code runs."""
    all_uses_runtime: ClassVar[SandboxMatcher]

    def with_child_unrestricted(self, *child_path: str) -> SandboxMatcher:
        """A copy that does not match what is at this path, such as ``"datetime", "date", "today"``."""
        name, *rest = child_path
        if rest:
            child = self.children.get(name, SandboxMatcher.none).with_child_unrestricted(*rest)
            return replace(self, children={**self.children, name: child})
        return replace(
            self,
            access=self.access - {name},
            use=self.use - {name},
            children={key: child for key, child in self.children.items() if key != name},
        )

    def __or__(self, other: SandboxMatcher) -> SandboxMatcher:
        """A matcher of what either matches."""
        children = {**self.children, **other.children}
        for name in self.children.keys() & other.children.keys():
            children[name] = self.children[name] | other.children[name]
        return replace(
            self,
            access=self.access | other.access,
            use=self.use | other.use,
            children=children,
            match_self=self.match_self or other.match_self,
            only_runtime=self.only_runtime and other.only_runtime,
            leaf_message=self.leaf_message or other.leaf_message,
            leaf_warning=self.leaf_warning or other.leaf_warning,
            exclude=self.exclude | other.exclude,
        )


SandboxMatcher.none = SandboxMatcher()
SandboxMatcher.all = SandboxMatcher(match_self=True)
SandboxMatcher.all_runtime = SandboxMatcher(match_self=True, only_runtime=True)
SandboxMatcher.all_uses = SandboxMatcher(use={"*"})
SandboxMatcher.all_uses_runtime = SandboxMatcher(use={"*"}, only_runtime=True)


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
    passthrough_modules_minimum: ClassVar[frozenset[str] | set[str]] = frozenset()
    """What ported programs add their modules to, as the three below. Empty: no module is imported again here, so none
    has to be let through for that."""
    passthrough_modules_with_temporal: ClassVar[frozenset[str] | set[str]] = frozenset()
    passthrough_modules_maximum: ClassVar[frozenset[str] | set[str]] = frozenset()
    passthrough_modules_default: ClassVar[frozenset[str] | set[str]] = frozenset()
    invalid_modules_default: ClassVar[SandboxMatcher] = SandboxMatcher.none
    """What ported programs add to, or take from; the guard knows by itself what is refused."""
    invalid_module_members_default: ClassVar[SandboxMatcher] = SandboxMatcher.none

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


class WorkflowRunner:
    """What a worker's ``workflow_runner`` is: one of the two below."""


class SandboxedWorkflowRunner(WorkflowRunner):
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


class UnsandboxedWorkflowRunner(WorkflowRunner):
    """As a worker's ``workflow_runner``: workflow code is not guarded; replay still checks it."""
