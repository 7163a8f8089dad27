"""The three rules of the house, and every name that is passed as a string."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import grimp
import pytest
from django.conf import settings
from django.template.loader import get_template
from django.utils.module_loading import import_string
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("staffroom", "config", "operate", "ui")
FACE = re.compile(r"^staffroom\.(\w+)\.(?:views|urls|forms|routes|admin|webhooks)(?:\.|$)")
MOUNTS = {"config.urls", "staffroom.api.urls"}

# The tools of faces: they meet requests, and hold no rule. Everything else that is no face is a heart.
TOOLS = {
    "staffroom.accounts.adapter",
    "staffroom.accounts.language",
    "staffroom.api",
    "staffroom.core.answers",
    "staffroom.core.headers",
    "staffroom.core.pages",
    "staffroom.core.server",
    "staffroom.workspaces.doors",
}

SALTS = {"staffroom.invitations.mailed", "staffroom.invitations.link"}  # no names, though they look like some


def test_the_contracts_of_pyproject_hold(capsys: pytest.CaptureFixture[str]) -> None:
    broken = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert broken == 0, capsys.readouterr().out


def test_a_face_is_imported_by_faces_of_its_own_package_and_by_what_mounts_it() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    wrong = [
        f"{importer} imports {module}"
        for module in graph.modules
        if (face := FACE.match(module))
        for importer in graph.find_modules_that_directly_import(module)
        if importer not in MOUNTS and ".tests" not in importer and not _is_face_of(face[1], importer)
    ]
    assert wrong == []


def test_hearts_know_nothing_of_http() -> None:
    speaks = re.compile(r"^\s*(?:from django\.(?:http|shortcuts|views)\b|from ninja\b|import ninja)", re.M)
    wrong = {
        module
        for module, source in _sources()
        if speaks.search(source)
        and module.startswith("staffroom.")
        and not FACE.match(module)
        and not any(module == tool or module.startswith(f"{tool}.") for tool in TOOLS)
    }
    assert wrong == set()


@pytest.mark.parametrize(
    "setting", ["USER_BORN", "WORKSPACE_BORN", "WORKSPACE_CLOSED", "ACCOUNTING_KEEPS", "QUEUE_READY"]
)
def test_what_rings_by_name_is_a_function(setting: str) -> None:
    assert all(callable(import_string(name)) for name in getattr(settings, setting))


def test_every_dotted_name_in_a_string_leads_somewhere() -> None:
    """Settings, tasks, middlewares, handlers: whatever is found by its name."""
    dotted = re.compile(r"^(?:staffroom|config|ui|operate)(?:\.\w+)+$")
    names = {text for text in _strings() if dotted.match(text)} - SALTS
    assert "staffroom.workspaces.personal.open_for" in names
    assert [name for name in sorted(names) if not _leads_somewhere(name)] == []


def test_every_template_that_is_named_is_there() -> None:
    templates = [file for file in (ROOT / "ui/templates").rglob("*") if file.is_file()]
    shape = re.compile(r"^[a-z][\w-]*(?:/[\w-]+)+\.(?:html|txt)(?:#[\w-]+)?$")
    named = {text for text in _strings() if shape.match(text)}
    for file in templates:
        named |= set(re.findall(r"""{%\s*(?:extends|include)\s+["']([^"']+)["']""", file.read_text()))
    for name in sorted(named):
        get_template(name)


def _is_face_of(package: str, importer: str) -> bool:
    found = FACE.match(importer)
    return found is not None and found[1] == package


def _leads_somewhere(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        try:
            import_string(name)
        except ImportError:
            return False
    return True


def _sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if not {"tests", "migrations"} & set(file.parts):
                module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                yield module.removesuffix(".__init__"), file.read_text()


def _strings() -> set[str]:
    return {
        node.value
        for _, source in _sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
