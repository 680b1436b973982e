"""The files around the code agree with each other and give nothing away."""

import importlib.metadata
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import memory_envs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = [Requirement(line) for line in LINES if not line.startswith("#")]
# Put together here, so that this file does not hold what it looks for.
GIVEAWAYS = [
    *("/".join(["", folder, ""]) for folder in ("work", "root", "home")),
    *(".".join(host) for host in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")]),
    *(".".join(host) for host in [("pytorch", "org/whl"), ("debian", "org"), ("conda", "org")]),
]


def direct_requirements() -> list[Requirement]:
    """What pyproject.toml asks for, less the extras that name the project itself."""
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return [requirement for requirement in requirements if requirement.name != PROJECT["name"]]


def applies(requirement: Requirement, python: str, extra: str = "") -> bool:
    """Whether the marker of `requirement` holds here with that version of Python."""
    environment = {"python_version": python, "extra": extra}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins_of(name: str, python: str) -> list[Requirement]:
    wanted = canonicalize_name(name)
    return [pin for pin in PINS if canonicalize_name(pin.name) == wanted and applies(pin, python)]


def test_the_version_is_the_same_everywhere() -> None:
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    changelog = re.search(r"^## .*?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert citation is not None
    assert changelog is not None
    versions = {citation[1], changelog[1], memory_envs.__version__, PROJECT["version"]}
    assert versions == {PROJECT["version"]}


def test_every_pin_is_one_exact_version() -> None:
    loose = [str(pin) for pin in PINS if not re.fullmatch(r"==[^*+,]+", str(pin.specifier))]
    assert loose == []


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_requirement_is_pinned_within_its_range(python: str) -> None:
    for requirement in direct_requirements():
        if applies(requirement, python):
            pins = pins_of(requirement.name, python)
            assert len(pins) == 1, f"{requirement} has the pins {pins}"
            version = str(pins[0].specifier).removeprefix("==")
            assert requirement.specifier.contains(version), f"{requirement} excludes {version}"


def test_what_the_requirements_need_is_pinned_too() -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    todo = [(requirement, "") for requirement in direct_requirements()]
    seen = set()
    unpinned = set()
    while todo:
        requirement, extra = todo.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen or not applies(requirement, python, extra):
            continue
        seen.add(key)
        try:
            needs = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        if not pins_of(requirement.name, python):
            unpinned.add(requirement.name)
        for extra in ("", *requirement.extras):
            todo += [(Requirement(need), extra) for need in needs]
    assert len(seen) > len(direct_requirements()), "nothing was followed"
    assert unpinned == set()


def test_all_holds_every_extra() -> None:
    (everything,) = (Requirement(line) for line in EXTRAS["all"])
    assert everything.extras == EXTRAS.keys() - {"all"}


def test_the_wheel_holds_two_packages_whole() -> None:
    find = PYPROJECT["tool"]["setuptools"]["packages"]["find"]
    assert find.keys() == {"include", "namespaces"}
    assert find["namespaces"] is False, "a folder without __init__.py is no package"
    folders = {path for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    names = {path.name for path in folders}
    assert {"benchmarks", "tests"} < names
    packaged = {name for name in names for glob in find["include"] if fnmatch(name, glob)}
    assert packaged == {"memory_envs", "agents"}
    for package in packaged:
        for module in (ROOT / package).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), f"the wheel would lack {module}"


def test_every_file_of_a_package_is_in_the_wheel() -> None:
    patterns: dict[str, list[str]] = PYPROJECT["tool"]["setuptools"]["package-data"]
    assert patterns.keys() == {"memory_envs", "agents"}
    for package in ("memory_envs", "agents"):
        files = {path for path in (ROOT / package).rglob("*") if path.is_file()}
        files = {path for path in files if path.suffix != ".py" and "__pycache__" not in str(path)}
        packaged = {path for glob in patterns[package] for path in (ROOT / package).glob(glob)}
        assert files - packaged == set()
        for glob in patterns[package]:
            assert list((ROOT / package).glob(glob)), f"{glob} of {package} matches nothing"


def test_the_commands_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
    assert {
        "install",
        "lint",
        "test",
        "test-slow",
        "test-wheel",
        "demo",
        "bench",
        "docs",
    } <= targets
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_no_file_names_a_machine_or_a_registry() -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    assert ROOT / "pyproject.toml" in paths
    found = [
        f"{path.relative_to(ROOT)}: {giveaway}"
        for path in paths
        if path.is_file()
        for giveaway in GIVEAWAYS
        if giveaway.encode() in path.read_bytes()
    ]
    assert found == []
