"""A journal as a picture, in the text of Mermaid: the way a program took, and when its attempts ran."""

from actorflow.core.diagram.flowchart import flowchart
from actorflow.core.diagram.gantt import gantt

__all__ = ["flowchart", "gantt"]
