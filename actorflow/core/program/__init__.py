"""The user's workflow code while it runs: deterministic, resumable by replay, without any I/O of its own."""

from actorflow.core.program.instance import Program
from actorflow.core.program.loop import ProgramLoop

__all__ = ["Program", "ProgramLoop"]
