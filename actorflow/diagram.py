"""Pictures of an execution, as Mermaid text: paste it where Markdown is rendered, or at https://mermaid.live.

``flowchart`` shows the way a program took, with its loops; ``gantt`` when its activities ran; ``markdown`` is a page
with both. They take what `WorkflowHandle.fetch_history` returns::

    print(actorflow.diagram.flowchart(await handle.fetch_history()))
"""

from __future__ import annotations

from actorflow.client import WorkflowHistory
from actorflow.core import diagram
from actorflow.core.diagram.text import heading


def flowchart(history: WorkflowHistory) -> str:
    """The steps of an execution as a Mermaid flowchart.

    Every activity, child, timer, signal, update and message to others of one name is one box, with how often it was
    taken, its attempts and failures; an arrow back is a loop, with its count. Names are escaped; beyond 200 kinds of
    steps the rest is one box.
    """
    return diagram.flowchart(history.turns)


def gantt(history: WorkflowHistory) -> str:
    """The activities of an execution as a Mermaid Gantt chart, in UTC.

    Each activity has a bar for the attempt that decided it and, where it waited or was tried before, one for that;
    children, timers, updates and messages to others have bars, signals marks. Beyond 500 bars the chart ends and says
    so.
    """
    return diagram.gantt(history.turns, title=f"{history.workflow_id} (run {history.run_id})")


def markdown(history: WorkflowHistory) -> str:
    """Both diagrams of an execution as one Markdown page, which many hosts of code show as pictures."""
    pictures = {"The way it took": flowchart(history), "When its activities ran": gantt(history)}
    sections = [f"## {title}\n\n```mermaid\n{picture}```\n" for title, picture in pictures.items()]
    return "\n".join([f"# {heading(history.workflow_id)}\n", *sections])
