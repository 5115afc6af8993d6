"""Which project files a step's result depends on: the transitive imports of its script, found by parsing.

A rule lists them as input, so that Snakemake compares their content: an edited helper reruns exactly its users, and a
checkout, which only changes times, reruns nothing. Only static absolute imports can be followed, so everything else
that could bring in project code is refused.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import Iterator

from scripts.common.errors import UserError
from scripts.common.files import PathLike

PACKAGE = "scripts"
# Parts of importlib that read files and versions but import no modules.
HARMLESS = ("importlib.metadata", "importlib.resources")
# What stands in a file with a call that hides what is imported.
HIDING = re.compile(rb"__import__|\bsys\s*\.\s*path\b")


def code_of(script: str, root: PathLike = ".") -> list[str]:
    """Return the project files that `script` imports, directly or not, without itself, sorted.

    script: path relative to `root` (the repository, by default the working directory, to which a rule's inputs are
    relative). Returned paths are relative to `root` with forward slashes; an `__init__.py` is among them only if it
    holds code. Raises `UserError` for a missing module, a relative import, or an import that only running would show.
    """
    base = Path(root)
    start = Path(script).as_posix()
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for path in imports_of(base, waiting.pop()):
            if path not in found and path != start:
                found.add(path)
                waiting.append(path)
    return sorted(found)


def imports_of(root: Path, script: str) -> list[str]:
    """Return the project files that one file imports directly, sorted. Raises `UserError` as `code_of` does."""
    try:
        state = (root / script).stat()
    except FileNotFoundError:
        raise UserError(f"{script}: no such script; correct the path in the rule") from None
    return list(_imports_of(root.resolve(), script, state.st_mtime_ns, state.st_size))


@functools.lru_cache(maxsize=1024)
def _imports_of(root: Path, script: str, mtime_ns: int, size: int) -> tuple[str, ...]:
    """Return what `imports_of` does, looked up once for each content of the file: hundreds of rules ask."""
    statements = _import_statements(root, script)
    return tuple(sorted({path for statement in statements for path in _files_of(root, script, *statement)}))


def _import_statements(root: Path, script: str) -> list[tuple[int, str, str | None]]:
    """Return (line, module, name or None) of each import in a file."""
    source = (root / script).read_bytes()
    try:
        tree = ast.parse(source, script)
    except SyntaxError as error:
        raise UserError(f"{script}:{error.lineno}: {error.msg}; mend the syntax") from None
    statements: list[tuple[int, str, str | None]] = []
    for node in _statements_in(tree):
        if isinstance(node, ast.Import):
            statements.extend((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise UserError(f"{script}:{node.lineno}: relative import; write 'from {PACKAGE}. ... import ...'")
            statements.extend((node.lineno, node.module or "", alias.name) for alias in node.names)
    if HIDING.search(source):  # few files have one, and walking through every expression takes longest
        for node in ast.walk(tree):
            _refuse_hidden_import(script, node)
    return statements


def _statements_in(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements below a node, those in blocks included, without looking into expressions."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(tree, block, ()):
            yield node
            yield from _statements_in(node)


def _files_of(root: Path, script: str, line: int, module: str, name: str | None) -> Iterator[str]:
    """Yield the files behind `import module` or `from module import name`; nothing for modules of other projects."""
    whole = f"{module}.{name}" if name else module
    if module.partition(".")[0] in ("importlib", "runpy"):
        if not whole.startswith(HARMLESS):
            raise UserError(f"{script}:{line}: {whole} hides what is imported; use a plain import statement")
        return
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return
    for depth in range(1, len(parts)):
        yield from _code_in_package(root, parts[:depth])
    folder = root.joinpath(*parts)
    if name and name != "*" and folder.is_dir() and _is_module(folder, name):
        yield from _code_in_package(root, parts)
        parts = [*parts, name]
        folder = folder / name
    if folder.with_suffix(".py").is_file():
        yield "/".join(parts) + ".py"
    elif (folder / "__init__.py").is_file() and (name is None or _code_in_package(root, parts) or parts[-1] == name):
        yield from _code_in_package(root, parts)
    else:
        statement = f"from {module} import {name}" if name else f"import {module}"
        raise UserError(f"{script}:{line}: no project file stands behind '{statement}'; correct the import")


def _is_module(folder: Path, name: str) -> bool:
    """Tell whether `name` is a module or package in `folder`."""
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def _code_in_package(root: Path, parts: list[str]) -> list[str]:
    """Return the `__init__.py` of a package if it holds code, else nothing."""
    path = root.joinpath(*parts, "__init__.py")
    try:
        has_code = path.stat().st_size > 0 and path.read_bytes().strip()
    except FileNotFoundError:
        return []
    return ["/".join([*parts, "__init__.py"])] if has_code else []


def _refuse_hidden_import(script: str, node: ast.AST) -> None:
    """Raise `UserError` for a call that imports by a computed name or changes where imports are looked up."""
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    if called == "__import__" or called.startswith("sys.path."):
        raise UserError(f"{script}:{node.lineno}: {called}() hides what is imported; use a plain import statement")
