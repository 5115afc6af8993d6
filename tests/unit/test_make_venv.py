"""make_venv: an environment file becomes a virtual environment, whole or not at all, with one clear line on failure.

The packages are tiny wheels made here, so nothing is fetched.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.common.environments import Environment, read_environment, split_pin
from scripts.common.errors import UserError
from scripts.make_venv import STAMP, fault_of, is_finished, main, run_pip, stamp_of

ROOT = Path(__file__).resolve().parents[2]


def make_wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel with one module that knows its version."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def write_environment(path: Path, *pins: str) -> Path:
    lines = "".join(f"      - {pin}\n" for pin in pins)
    path.write_text(f"dependencies:\n  - python=3.11\n  - pip\n  - pip:\n{lines}")
    return path


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels that pip looks in instead of the index."""
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(folder, "thriftprobe", version)
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


@pytest.fixture
def only_tried(monkeypatch):
    """No environment is made: the pip that runs here answers, without installing."""

    def create(folder: Path, **kwargs: object) -> None:
        folder.mkdir()

    monkeypatch.setattr("scripts.make_venv.venv.create", create)
    monkeypatch.setattr(
        "scripts.make_venv.run_pip", lambda python, arguments: run_pip(Path(sys.executable), [*arguments, "--dry-run"])
    )


def version_in(venv: Path) -> str:
    command = [str(venv / "bin" / "python"), "-I", "-c", "import thriftprobe; print(thriftprobe.VERSION)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def build(environment: Path, target: Path) -> None:
    main(["--environment", str(environment), "--venv-out", str(target)])


def test_builds_once_and_again_when_the_pins_change(tmp_path, wheels):
    target = tmp_path / "with space" / "probe"
    environment = write_environment(tmp_path / "probe.yaml", "thriftprobe==1.0", 'gone==1 ; python_version < "3.0"')
    build(environment, target)
    assert version_in(target) == "1.0"
    marker = target / "untouched"
    marker.touch()
    build(environment, target)
    assert marker.exists()
    build(write_environment(environment, "thriftprobe==2.0"), target)
    assert version_in(target) == "2.0"
    assert not marker.exists()
    assert list(target.glob("lib/python*/site-packages/__pycache__/thriftprobe.*.pyc")), "pip compiled nothing"


def test_only_a_matching_stamp_means_finished(tmp_path):
    environment = read_environment(write_environment(tmp_path / "probe.yaml", "thriftprobe==1.0"))
    target = tmp_path / "probe"
    assert not is_finished(target, environment)
    (target / "bin").mkdir(parents=True)
    (target / "bin" / "python").touch()
    assert not is_finished(target, environment)
    (target / STAMP).write_text("of other pins\n")
    assert not is_finished(target, environment)
    (target / STAMP).write_text(stamp_of(environment))
    assert is_finished(target, environment)


def test_an_unknown_pin_gives_one_line_and_leaves_nothing(tmp_path, wheels, only_tried):
    environment = write_environment(tmp_path / "probe.yaml", "thriftprobe==9.9")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(UserError) as error:
        build(environment, tmp_path / "probe")
    assert str(error.value) == (
        f"{environment}: the package index has no thriftprobe==9.9 for Python {version}; "
        "correct the pin or use another Python"
    )
    assert not (tmp_path / "probe").exists()


def test_no_connection_gives_one_line_and_leaves_nothing(tmp_path, wheels, only_tried, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    environment = write_environment(tmp_path / "probe.yaml", "thriftprobe==9.9")
    with pytest.raises(UserError, match=r"probe\.yaml: the package index cannot be reached; connect this machine"):
        build(environment, tmp_path / "probe")
    assert not (tmp_path / "probe").exists()


def test_other_faults_of_pip_are_quoted():
    environment = Environment(Path("envs/x.yaml"), "3.11", ())
    output = "Collecting a\nERROR: Cannot install a and b because of conflicts.\nERROR: ResolutionImpossible\n"
    assert fault_of(output, environment) == (
        "envs/x.yaml: pip could not install it (Cannot install a and b because of conflicts.); "
        "mend the pins or the machine and run again"
    )


def test_an_interrupted_build_leaves_nothing(tmp_path, only_tried, monkeypatch):
    monkeypatch.setattr("scripts.make_venv.run_pip", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        build(write_environment(tmp_path / "probe.yaml", "thriftprobe==1.0"), tmp_path / "probe")
    assert not (tmp_path / "probe").exists()


@pytest.mark.parametrize(
    "text, fault",
    [
        ("dependencies: [", "broken YAML ("),
        ("name: x", "no list 'dependencies'; see the other files in envs/"),
        (
            "dependencies: [pip, {pip: [a==1]}]",
            "'dependencies' must hold exactly python=3.x, pip and one list under pip:",
        ),
        ("dependencies: [python=3.11, pip, numpy, {pip: [a==1]}]", "'dependencies' must hold exactly"),
        (
            "dependencies: [python=3.11, pip, {pip: ['a>=1']}]",
            "'a>=1' under pip: is not an exact pin; write name==version",
        ),
        ("dependencies: [python=3.11, pip, {pip: ['-r x.txt']}]", "'-r x.txt' under pip: is not an exact pin"),
        ("dependencies: [python=3.11, pip, {pip: []}]", "'' under pip: is not an exact pin"),
    ],
)
def test_broken_environment_files(tmp_path, text, fault):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="^" + re.escape(f"{path}: {fault}")):
        read_environment(path)


def test_pins_are_split():
    assert split_pin('Foo_Bar==1.0+cpu ; python_version < "3.12"') == ("foo-bar", "1.0+cpu", 'python_version < "3.12"')
    assert split_pin("a[b,c]==2") == ("a", "2", "")


@pytest.mark.parametrize("path", sorted(ROOT.glob("envs/*.yaml")), ids=lambda path: path.stem)
def test_our_environment_files_read(path):
    assert read_environment(path).pins


def test_the_preprocessing_list_has_one_pin_a_package_for_every_python():
    """Markers choose exactly one version of each package on Python 3.9 to 3.13."""
    from packaging.markers import Marker

    environment = read_environment(ROOT / "envs" / "preprocess.yaml")
    assert environment.python == "3.10"
    for version in ("3.9", "3.10", "3.11", "3.12", "3.13"):
        chosen = {}
        for name, pinned, marker in map(split_pin, environment.pins):
            if not marker or Marker(marker).evaluate({"python_version": version}):
                assert name not in chosen
                chosen[name] = pinned
        assert chosen["datasets"] == "1.4.0"
        assert chosen["huggingface-hub"] == "0.0.2"
        assert chosen["dill"] == ("0.3.4" if version in ("3.9", "3.10") else "0.3.8")
        assert chosen["pandas"] == ("2.2.3" if version in ("3.12", "3.13") else "1.5.3")


def test_two_builds_at_once_build_once(tmp_path, wheels):
    yaml = write_environment(tmp_path / "two.yaml", "thriftprobe==1.0")
    target = tmp_path / "venv"
    command = [sys.executable, "-m", "scripts.make_venv", "--environment", str(yaml), "--venv-out", str(target)]
    runs = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert sorted("is up to date" in text for text in told) == [False, True]
    assert (target / "bin" / "python").exists()
