"""What the project never does: run data as code, unpickle, go through a shell, write a key down."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.data.reader_reasoning import asdiv_problems

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("scripts/**/*.py"))
PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput"}
UNPICKLES = {"torch.save", "pandas.read_pickle", "pd.read_pickle", "yaml.load", "yaml.unsafe_load"}
TORCH = "torch.load"  # runs what a pickle asks for unless its restricted reader is asked for by name
NUMPY = {"np.load", "numpy.load", "np.save", "numpy.save"}  # unpickle unless told not to


def faults_of(source: str) -> list[str]:
    """Return what a module does that none may do, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f"{node.lineno}: imports {name}" for name in names if name.partition(".")[0] in PICKLING]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in RUNS_TEXT | UNPICKLES:
                found.append(f"{node.lineno}: calls {name}")
            if name in NUMPY and options.get("allow_pickle") != "False":
                found.append(f"{node.lineno}: calls {name} without allow_pickle=False")
            if name == TORCH and options.get("weights_only") != "True":
                found.append(f"{node.lineno}: calls {name} without weights_only=True")
            for option, allowed in (("shell", "False"), ("trust_remote_code", "False"), ("weights_only", "True")):
                if options.get(option, allowed) != allowed:
                    found.append(f"{node.lineno}: {option}={options[option]}")
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_runs_data(script: str) -> None:
    assert faults_of((ROOT / script).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.save(state, path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "AutoModel.from_pretrained(x, trust_remote_code=row['trust'])",
        "yaml.load(text)",
    ],
)
def test_the_check_itself_sees_them(line: str) -> None:
    assert len(faults_of(line)) == 1


@pytest.mark.parametrize("rules", sorted(path.name for path in (ROOT / "rules").glob("*.smk")))
def test_every_path_and_text_in_a_command_is_quoted(rules: str) -> None:
    """A name with a blank, a quote or $() reaches the step as it is: `:q` on whatever comes from data or config."""
    text = (ROOT / "rules" / rules).read_text(encoding="utf-8")
    places = re.findall(r"\{((?:input|output|log|params|wildcards)[^{}]*)\}", _commands(text))
    plain = {place.partition(".")[2] for place in places if not place.endswith(":q")}
    assert plain <= {*NUMBERS, *WORDS, *OUR_OWN}, "add :q"


NUMBERS = (
    "dev_rows dev_tasks dpc expected first fraction fractions hold_out last limit n_cases n_texts percents rounds seed"
    " seeds shots sizes stage start stop threads thresholds"
).split()
# Words of which the schema of the config allows a few only, and the tier, which it holds to [a-z0-9_]+.
WORDS = "compute device family learning metric mode sampling scale targets tier".split()
OUR_OWN = "artifact launch launcher module python shipped".split()


def _commands(text: str) -> str:
    """Return the shell commands of a rule file."""
    return "\n".join(re.findall(r"^    shell:\n((?:^        .*\n)+)", text, flags=re.M))


def test_a_text_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "x">{entities}]><a>&a11;</a>'
    (tmp_path / "asdiv.xml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"asdiv\.xml: broken XML \(limit on input amplification"):
        asdiv_problems(tmp_path / "asdiv.xml")


def test_a_text_that_names_another_file_does_not_get_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key", encoding="utf-8")
    secret = (tmp_path / "secret").as_uri()
    text = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret}">]><a><Problem><Body>&x;</Body></Problem></a>'
    (tmp_path / "asdiv.xml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"asdiv\.xml: broken XML \(undefined entity"):
        asdiv_problems(tmp_path / "asdiv.xml")
