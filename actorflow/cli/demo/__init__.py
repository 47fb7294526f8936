"""``actorflow demo``: an order whose worker is killed with SIGKILL in the middle, and comes back."""

from actorflow.cli.demo.command import demo

__all__ = ["demo"]
