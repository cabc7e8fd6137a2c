"""The examples of docs/python.md and of the docstrings, and the types of the extension."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import cloze
from cloze import _cloze

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "bert-base-uncased" not in block]
MODULES = [module.name for module in pkgutil.iter_modules(cloze.__path__) if module.name != "_cloze"]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_page(number: int) -> None:
    exec(compile(BLOCKS[number], f"docs/python.md, block {number}", "exec"), {})


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"cloze.{name}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


def test_the_names_on_the_page_are_there() -> None:
    table = PAGE.read_text().split("## What there is")[1].split("Not there")[0]
    names = re.findall(r"`([A-Za-z_.]+)`", table)
    public = [name for name in names if name in cloze.__all__ or name[0].isupper()]
    assert len(public) > 40
    for name in public:
        assert "..." in name or hasattr(cloze, name), name
    missing = [name for name in cloze.__all__ if name not in table and not name.startswith(("AutoModelFor", "DistilBert"))]
    # Results of functions are named where the functions are.
    assert [name for name in missing if not name.endswith(("Result", "Model", "Info", "Inspection"))] in ([], ["errors", "outputs"], ["errors"])


def test_stub() -> None:
    stub = Path(cloze.__path__[0]) / "_cloze.pyi"
    stated = {node.name for node in ast.parse(stub.read_text()).body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    real = {name for name in dir(_cloze) if not name.startswith("_")}
    assert stated == real
