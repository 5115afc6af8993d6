"""code_of: the transitive project imports of a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.provenance import code_of

NO_MODULE = "scripts/s.py:1: no project file stands behind"


@pytest.fixture
def project(tmp_path: Path):
    """A writer of project files: `project({"scripts/a.py": "text"})` returns the project's root."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            for folder in path.relative_to(tmp_path).parents:
                if folder.parts:
                    (tmp_path / folder / "__init__.py").touch()
        return tmp_path

    return write


def test_follows_imports_transitively_and_leaves_out_itself_and_others(project):
    root = project(
        {
            "scripts/paper/step.py": "import json\nimport numpy as np\nfrom scripts.lm.score import Scorer\n",
            "scripts/lm/score.py": "import scripts.common.files\nimport scripts.lm.load as load\n",
            "scripts/lm/load.py": "",
            "scripts/common/files.py": "from scripts.common import errors, seeding\n",
            "scripts/common/errors.py": "class UserError(Exception): ...\n",
            "scripts/common/seeding.py": "",
            "scripts/common/unused.py": "",
        }
    )
    assert code_of("scripts/paper/step.py", root) == [
        "scripts/common/errors.py",
        "scripts/common/files.py",
        "scripts/common/seeding.py",
        "scripts/lm/load.py",
        "scripts/lm/score.py",
    ]


def test_sees_imports_in_functions_branches_and_type_checking(project):
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scripts.a import A\n"
        "def f():\n    from scripts.b import *\n    with x:\n        import scripts.c\n"
    )
    root = project({"scripts/s.py": text, "scripts/a.py": "A = 1", "scripts/b.py": "", "scripts/c.py": ""})
    assert code_of("scripts/s.py", root) == ["scripts/a.py", "scripts/b.py", "scripts/c.py"]


def test_circles_end(project):
    root = project({"scripts/a.py": "import scripts.b", "scripts/b.py": "import scripts.a"})
    assert code_of("scripts/a.py", root) == ["scripts/b.py"]


def test_package_files_count_only_with_code(project):
    text = "from scripts.p.q import m\nimport scripts.r"
    root = project({"scripts/s.py": text, "scripts/p/q/m.py": "", "scripts/r/x.py": ""})
    assert code_of("scripts/s.py", root) == ["scripts/p/q/m.py"]
    (root / "scripts/p/__init__.py").write_text("VALUE = 1\n")
    (root / "scripts/s.py").write_text(text + "\n")  # what an unchanged file imports is looked up once
    assert code_of("scripts/s.py", root) == ["scripts/p/__init__.py", "scripts/p/q/m.py"]


def test_name_from_a_package_with_code(project):
    root = project({"scripts/s.py": "from scripts.p import VALUE", "scripts/p/m.py": ""})
    (root / "scripts/p/__init__.py").write_text("VALUE = 1\n")
    assert code_of("scripts/s.py", root) == ["scripts/p/__init__.py"]


def test_forgets_an_edited_file(project):
    root = project({"scripts/s.py": "import scripts.a", "scripts/a.py": "", "scripts/bb.py": ""})
    assert code_of("scripts/s.py", root) == ["scripts/a.py"]
    (root / "scripts/s.py").write_text("import scripts.bb")
    assert code_of("scripts/s.py", root) == ["scripts/bb.py"]


def test_package_metadata_may_be_read(project):
    root = project({"scripts/s.py": "import importlib.metadata\nfrom importlib import resources\n"})
    assert code_of("scripts/s.py", root) == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("\nfrom . import a", "scripts/s.py:2: relative import; write 'from scripts. ... import ...'"),
        ("import scripts.gone", f"{NO_MODULE} 'import scripts.gone'; correct the import"),
        ("from scripts.gone import x", f"{NO_MODULE} 'from scripts.gone import x'; correct the import"),
        ("from scripts.p import gone", f"{NO_MODULE} 'from scripts.p import gone'; correct the import"),
        ("from scripts import gone", f"{NO_MODULE} 'from scripts import gone'; correct the import"),
        ("import importlib", "scripts/s.py:1: importlib hides what is imported; use a plain import statement"),
        (
            "from importlib import import_module",
            "scripts/s.py:1: importlib.import_module hides what is imported; use a plain import statement",
        ),
        ("import runpy", "scripts/s.py:1: runpy hides what is imported; use a plain import statement"),
        ("x = __import__('a')", "scripts/s.py:1: __import__() hides what is imported; use a plain import statement"),
        (
            "import sys\nsys.path.insert(0, 'a')",
            "scripts/s.py:2: sys.path.insert() hides what is imported; use a plain import statement",
        ),
        ("def f(:", "scripts/s.py:1: invalid syntax; mend the syntax"),
    ],
)
def test_refuses_what_it_cannot_follow(project, text, message):
    root = project({"scripts/s.py": text, "scripts/p/m.py": "", "scripts/a.py": ""})
    with pytest.raises(UserError) as error:
        code_of("scripts/s.py", root)
    assert str(error.value) == message


def test_missing_script(tmp_path):
    with pytest.raises(UserError, match=r"^scripts/none\.py: no such script; correct the path in the rule$"):
        code_of("scripts/none.py", tmp_path)


def test_agrees_with_what_python_really_imports(repo_root):
    """Every project module that a real import of a step loads is listed."""
    import subprocess
    import sys

    script = "scripts/make_venv.py"
    program = "import sys, scripts.make_venv; print(*[m for m in sys.modules if m.startswith('scripts.')])"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=repo_root, check=True, capture_output=True, text=True)
    modules = {name.replace(".", "/") + ".py" for name in loaded.stdout.split()} - {script, "scripts/common.py"}
    assert modules <= set(code_of(script, repo_root))
    assert "scripts/common/environments.py" in modules
