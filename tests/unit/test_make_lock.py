"""make_lock: merged pins, one resolution a Python, a lock without CUDA packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

from scripts.common.environments import Environment, read_environment, split_pin
from scripts.common.errors import UserError
from scripts.make_lock import Locked, lock_lines, locked_packages, main, merge_pins, python_marker
from tests.unit.test_make_venv import make_wheel, wheels, write_environment  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
MODERN = ("workflow", "data", "lm", "report", "dev")
PYTHONS = ["3.11", "3.12", "3.13"]


def report(packages: dict[str, tuple[str, list[str]]]) -> dict:
    environment = {
        "python_version": "3.12",
        "python_full_version": "3.12.1",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "sys_platform": "linux",
        "os_name": "posix",
        "implementation_name": "cpython",
    }
    install = [
        {"metadata": {"name": name, "version": version, "requires_dist": needs}}
        for name, (version, needs) in packages.items()
    ]
    return {"environment": environment, "install": install}


def test_merge_puts_torch_first_and_keeps_one_pin_each():
    a = Environment(Path("a.yaml"), "3.11", ("zlib-like==1", "NumPy==2.4.6"))
    b = Environment(Path("b.yaml"), "3.11", ("numpy==2.4.6", "torch==2.13.0"))
    assert merge_pins([a, b]) == ["torch==2.13.0", "NumPy==2.4.6", "zlib-like==1"]


def test_contradicting_pins_name_both_files():
    a = Environment(Path("envs/a.yaml"), "3.11", ("numpy==2.4.6",))
    b = Environment(Path("envs/b.yaml"), "3.11", ("numpy==2.0.0",))
    with pytest.raises(UserError) as error:
        merge_pins([a, b])
    assert str(error.value) == "envs/b.yaml: numpy==2.0.0 contradicts numpy==2.4.6 in envs/a.yaml; use one version"


def test_what_only_the_cuda_build_asks_for_is_left_out():
    packages = {
        "torch": (
            "2.13.0+cu130",
            ["sympy", "nvidia-blas; platform_system == 'Linux'", "triton; platform_system == 'Linux'"],
        ),
        "sympy": ("1.0", []),
        "nvidia-blas": ("13", ["nvidia-jit"]),
        "nvidia-jit": ("13", []),
        "triton": ("3", []),
    }
    locked = locked_packages(report(packages), ["torch==2.13.0"])
    assert locked == {"torch": Locked("2.13.0", ""), "sympy": Locked("1.0", "")}


def test_packages_of_some_platforms_carry_the_condition_and_so_do_their_own():
    packages = {
        "a": ("1", ["b; platform_machine == 'x86_64'", "c; sys_platform == 'linux'"]),
        "b": ("1", ["c", "d"]),
        "c": ("1", []),
        "d": ("1", []),
    }
    locked = locked_packages(report(packages), ["a==1"])
    assert locked["d"].platforms == locked["b"].platforms == 'platform_machine == "x86_64"'
    assert locked["c"].platforms == '(platform_machine == "x86_64") or (sys_platform == "linux")'
    packages["a"][1].append("c")
    assert locked_packages(report(packages), ["a==1"])["c"].platforms == ""


def test_extras_count_only_where_they_are_asked_for():
    packages = {
        "a": ("1", ["B_b[fast]", "c; python_version < '3.12'"]),
        "b-b": ("1", ["d; extra == 'fast'", "e; extra == 'slow'"]),
        "c": ("1", []),
        "d": ("1", []),
        "e": ("1", []),
    }
    assert set(locked_packages(report(packages), ["a==1"])) == {"a", "b-b", "d"}


@pytest.mark.parametrize("group", [["3.11"], ["3.12"], ["3.13"], ["3.11", "3.12"], ["3.12", "3.13"], ["3.11", "3.13"]])
def test_python_markers_hold_exactly_for_their_group(group):
    marker = Marker(python_marker(group, PYTHONS))
    assert [python for python in PYTHONS if marker.evaluate({"python_version": python})] == group


def test_a_package_of_all_pythons_has_no_marker():
    assert python_marker(PYTHONS, PYTHONS) == ""


def test_lines_of_the_lock():
    resolutions = {
        "3.11": {"torch": Locked("2", ""), "a": Locked("1", ""), "b": Locked("1", 'os_name == "nt"')},
        "3.12": {"torch": Locked("2", ""), "a": Locked("2", ""), "b": Locked("1", 'os_name == "nt"')},
        "3.13": {"torch": Locked("2", ""), "a": Locked("2", ""), "c": Locked("1", 'os_name == "nt"')},
    }
    assert lock_lines(resolutions) == [
        "torch==2",
        'a==1 ; python_version < "3.12"',
        'a==2 ; python_version >= "3.12"',
        'b==1 ; (python_version < "3.13") and (os_name == "nt")',
        'c==1 ; (python_version >= "3.13") and (os_name == "nt")',
    ]


def test_resolves_for_real_from_a_folder_of_wheels(tmp_path, wheels):  # noqa: F811
    make_wheel(wheels, "torch", "1.0+cpu")
    environment = write_environment(tmp_path / "x.yaml", "thriftprobe==2.0", "torch==1.0")
    lock = tmp_path / "lock.txt"
    main(["--environments", str(environment), "--pythons", sys.executable, "--lock-out", str(lock)])
    assert lock.read_text().splitlines()[2:] == ["torch==1.0", "thriftprobe==2.0"]


def test_an_interpreter_that_is_not_there(tmp_path, wheels):  # noqa: F811
    environment = write_environment(tmp_path / "x.yaml", "thriftprobe==2.0")
    with pytest.raises(UserError, match="python9.9: cannot make a virtual environment; install it or name others"):
        main(["--environments", str(environment), "--pythons", "python9.9", "--lock-out", str(tmp_path / "lock")])
    assert not (tmp_path / "lock").exists()


def test_no_solution(tmp_path, wheels):  # noqa: F811
    environment = write_environment(tmp_path / "x.yaml", "thriftprobe==7.0")
    with pytest.raises(UserError, match="pip finds no versions that fit together .*No matching|thriftprobe==7.0"):
        main(["--environments", str(environment), "--pythons", sys.executable, "--lock-out", str(tmp_path / "lock")])


def test_our_lock_holds_the_pins_of_the_modern_environments():
    """A YAML that was edited without `make lock` fails here."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    locked = {split_pin(pin)[:2] for pin in pins}
    environments = [read_environment(ROOT / "envs" / f"{name}.yaml") for name in MODERN]
    assert [pin for pin in merge_pins(environments) if split_pin(pin)[:2] not in locked] == []
    assert pins[0] == "torch==2.13.0"
    assert [pin for pin in pins if pin.startswith(("nvidia", "cuda", "triton"))] == []
    assert ", ".join(f"envs/{name}.yaml" for name in MODERN) in lines[0]
    for name, _, marker in map(split_pin, pins):
        assert not marker or Marker(marker).evaluate() in (True, False), name


@pytest.mark.parametrize("driver", ["slurm", "kubernetes"])
def test_drivers_elsewhere_are_the_driver_here_and_their_plugins(driver):
    here = read_environment(ROOT / "envs" / "workflow.yaml")
    there = read_environment(ROOT / "envs" / f"{driver}.yaml")
    assert set(here.pins) <= set(there.pins)
    assert there.python == here.python
    if driver == "slurm":  # added to .venv, so nothing that is there may change
        merge_pins([there, *(read_environment(ROOT / "envs" / f"{name}.yaml") for name in MODERN)])
