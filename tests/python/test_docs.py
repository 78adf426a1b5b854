# SPDX-License-Identifier: MIT
"""Each exported name is documented, typed, and the stubs say what the module has."""

from __future__ import annotations

import ast
import builtins
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tidewheel
from tidewheel import _core

PACKAGE = Path(tidewheel.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))


def public_members(kind: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(kind).items():
        if not name.startswith("_") and (
            inspect.isroutine(member) or isinstance(member, property | classmethod)
        ):
            yield name, member


@pytest.mark.parametrize("name", tidewheel.__all__)
def test_an_exported_name_is_documented(name: str) -> None:
    thing = getattr(tidewheel, name)
    if name == "__version__":
        return
    assert inspect.getdoc(thing), f"{name} has no doc"
    # NamedTuple makes one of its own: "Name(field, ...)".
    assert not inspect.getdoc(thing).startswith(name + "("), f"{name} has no doc of its own"
    if isinstance(thing, type):
        for member, value in public_members(thing):
            assert inspect.getdoc(value), f"{name}.{member} has no doc"


def test_all_names_all() -> None:
    exported = {
        name
        for name in vars(tidewheel)
        if not name.startswith("_") and not inspect.ismodule(getattr(tidewheel, name))
    } - {"annotations", "Any", "NamedTuple", "TYPE_CHECKING"}
    assert exported <= set(tidewheel.__all__)
    with pytest.raises(AttributeError):
        tidewheel.nonesuch  # noqa: B018


@pytest.mark.parametrize("name", [name for name in dir(_core) if not name.startswith("__")])
def test_the_core_is_documented_with_signatures(name: str) -> None:
    thing = getattr(_core, name)
    assert thing.__doc__
    members = public_members(thing) if isinstance(thing, type) else iter([(name, thing)])
    for member, value in members:
        assert inspect.getdoc(value), f"{name}.{member} has no doc"
        if inspect.isroutine(value):
            inspect.signature(value)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_docs_name_arguments_and_errors_that_exist(path: Path) -> None:
    """Args sections list parameters, Raises sections exceptions; none of them made up."""
    known = set(vars(tidewheel)) | set(dir(builtins))
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        doc = ast.get_docstring(node) or ""
        function = node
        if isinstance(node, ast.ClassDef):
            inits = [one for one in node.body if getattr(one, "name", "") == "__init__"]
            function = inits[0] if inits else node
        if "\nArgs:" in doc and not isinstance(function, ast.ClassDef):
            arguments = function.args
            given = [*arguments.posonlyargs, *arguments.args]
            names = [one.arg for one in given if one.arg not in ("self", "cls")]
            if arguments.vararg is not None:
                names.append("*" + arguments.vararg.arg)
            names += [one.arg for one in arguments.kwonlyargs]
            if arguments.kwarg is not None:
                names.append("**" + arguments.kwarg.arg)
            assert section(doc, "Args") == names, f"{path.name}: {node.name}"
        for error in section(doc, "Raises"):
            assert error in known, f"{path.name}: {node.name} raises {error}"


def section(doc: str, title: str) -> list[str]:
    """The names a section of a docstring lists."""
    if f"\n{title}:\n" not in doc:
        return []
    lines = doc.split(f"\n{title}:\n")[1].split("\n\n")[0].splitlines()
    return [line.strip().split(":")[0] for line in lines if line[4:5].strip()]


def test_the_stubs_are_those_of_the_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "tidewheel._core", "--concise"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
