"""A journal in the public history's JSON, as tools of the public SDK export and read it, and back."""

from actorflow.core.history.reading import ReadHistory, read_history
from actorflow.core.history.writing import written_history

__all__ = ["ReadHistory", "read_history", "written_history"]
