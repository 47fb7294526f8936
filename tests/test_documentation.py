"""Whatever a program can import says what it is for, and what the README shows is true."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PUBLIC = (
    "actorflow",
    "actorflow.activity",
    "actorflow.api.common.v1",
    "actorflow.api.failure.v1",
    "actorflow.client",
    "actorflow.clock",
    "actorflow.common",
    "actorflow.contrib.pydantic",
    "actorflow.converter",
    "actorflow.diagram",
    "actorflow.embedded",
    "actorflow.exceptions",
    "actorflow.metering",
    "actorflow.observability",
    "actorflow.service",
    "actorflow.testing",
    "actorflow.types",
    "actorflow.worker",
    "actorflow.workflow",
)


def _public_names(module: ModuleType) -> Iterator[tuple[str, Any]]:
    listed = getattr(module, "__all__", None)
    for name, value in vars(module).items():
        is_public = name in listed if listed is not None else not name.startswith("_")
        if is_public and getattr(value, "__module__", "").startswith("actorflow"):
            yield f"{module.__name__}.{name}", value


def _documented_parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return
    yield name, value
    if inspect.isclass(value):
        for part, member in vars(value).items():
            if not part.startswith("_") and (inspect.isfunction(member) or isinstance(member, property | classmethod)):
                yield f"{name}.{part}", member


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_documented(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__doc__
    silent = [
        name
        for public, value in _public_names(found)
        for name, part in _documented_parts(public, value)
        if not inspect.getdoc(part)
    ]
    assert silent == []


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_thirty_lines_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    program = next(block for block in _blocks("python") if "actorflow.open(" in block)
    written = [line for line in program.splitlines() if line.strip()]
    assert len(written) <= 30
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "paid A-1\n"
    assert (tmp_path / "orders.db").exists()


def test_every_python_block_of_the_readme_can_be_parsed() -> None:
    assert [ast.parse(block) for block in _blocks("python")]


def test_every_link_of_the_documents_leads_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in (*ROOT.glob("*.md"), *ROOT.glob("examples/*/*.md"))
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_commands_of_the_readme_exist() -> None:
    click = pytest.importorskip("click", reason="the command line needs the extra cli")
    root = importlib.import_module("actorflow.cli.root").root
    shown = re.findall(r"^actorflow (workflow|db) +([a-z]+)", README, re.MULTILINE)
    assert shown
    context = click.Context(root)
    for group, command in shown:
        assert root.get_command(context, group).get_command(context, command) is not None, f"{group} {command}"
