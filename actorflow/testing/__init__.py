"""What tests of workflows and activities use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from actorflow.testing.activities import ActivityEnvironment as ActivityEnvironment
    from actorflow.testing.environment import WorkflowEnvironment as WorkflowEnvironment
    from actorflow.testing.outlook import ResultNeverComesError as ResultNeverComesError
    from actorflow.testing.recorded import RecordedHistory as RecordedHistory

__all__ = ["ActivityEnvironment", "RecordedHistory", "ResultNeverComesError", "WorkflowEnvironment"]

_MODULES: Final = {
    "ActivityEnvironment": "activities",
    "RecordedHistory": "recorded",
    "ResultNeverComesError": "outlook",
    "WorkflowEnvironment": "environment",
}


def __getattr__(name: str) -> Any:
    """Load what is used when it is used: pytest loads this package for its plugin, where no test may need an engine."""
    if name in _MODULES:
        return getattr(import_module(f"actorflow.testing.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'actorflow.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
