"""Rules about imports that are finer than whole packages; the rest are contracts in pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "actorflow"
WEB_AND_TERMINAL = ("click", "jinja2", "rich", "starlette", "uvicorn")
BEHIND_THE_RUNNING_PROGRAM = ("client", "engine", "node", "remote", "store", "worker")


def sources(part: str) -> Iterator[tuple[str, ast.Module]]:
    """The modules of `actorflow.<part>` as (path, syntax tree); nothing if it is not there yet."""
    folder = PACKAGE / part
    for path in (*sorted(folder.rglob("*.py")), *PACKAGE.glob(f"{part}.py")):
        yield str(path.relative_to(PACKAGE.parent)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Everything a module imports, anywhere in it, as (line, dotted name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def uses_of_chance(tree: ast.Module) -> Iterator[int]:
    """Lines that draw from anything but `random.Random(seed)`."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="random", names=names) if any(alias.name != "Random" for alias in names):
                yield node.lineno
            case ast.Import(names=names) if any(alias.name == "random" and alias.asname for alias in names):
                yield node.lineno
            case ast.Attribute(value=ast.Name(id="random"), attr=name) if name != "Random" and imports_random(tree):
                yield node.lineno
            case ast.Call(func=ast.Name(id="Random") | ast.Attribute(attr="Random"), args=[], keywords=[]):
                yield node.lineno
            case _:
                pass


def imports_random(tree: ast.Module) -> bool:
    return any(name == "random" for _, name in imported(tree))


def test_chance_in_the_core_comes_from_a_seed() -> None:
    assert [f"{path}:{line}" for path, tree in sources("core") for line in uses_of_chance(tree)] == []


def test_unseeded_chance_is_recognised() -> None:
    drawn = ("import random\nrandom.random()", "from random import choice", "import random as r", "Random()")
    seeded = (
        "import random\nrandom.Random(1)",
        "from random import Random\nRandom(seed)",
        "random = given()\nrandom.random()",
    )
    assert [code for code in drawn if not list(uses_of_chance(ast.parse(code)))] == []
    assert [code for code in seeded if list(uses_of_chance(ast.parse(code)))] == []


def test_programs_reach_the_engine_only_through_the_running_program() -> None:
    forbidden = tuple(f"actorflow.{name}" for name in BEHIND_THE_RUNNING_PROGRAM)
    found = [
        f"{path}:{line} imports {name}"
        for part in ("workflow", "patterns")
        for path, tree in sources(part)
        for line, name in imported(tree)
        if name in forbidden or name.startswith(tuple(f"{module}." for module in forbidden))
    ]
    assert found == []


def test_embedding_the_library_loads_neither_web_stack_nor_terminal() -> None:
    code = f"import sys, actorflow; print(*sorted(sys.modules.keys() & {set(WEB_AND_TERMINAL)!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
