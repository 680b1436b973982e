"""Imports run downwards only; the layers are those of docs/design.md, section 2."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("memory_envs", "agents", "benchmarks")

# Lowest first. A module reaches its own layer and lower ones, directly or through others. "" is the
# package's __init__; what is not listed is a helper that any layer may use.
LAYERS = {
    "memory_envs": (
        {"core"},
        {"tape", "algorithmic", "maze", "stream"},
        {"registration"},
        {""},
        {"oracles"},
    ),
    "agents": (
        {"state"},
        {"cells"},
        {"unroll"},
        {"policies"},
        {"buffer", "algorithm", "on_policy"},
        {"reinforce", "a2c", "ppo"},
        {"rl_ntm"},
        {""},
        {"gradcheck"},
        {"commands", "cli"},
    ),
}
ALGORITHMS = range(3, 6)  # the layers of agents that no name of a cell may enter
ENVIRONMENT_NEEDS = {"memory_envs", "numpy", "numba", "gymnasium", *sys.stdlib_module_names}
RENDERING_NEEDS = {"pygame", "minigrid"}
ENVIRONMENTS_FOR_AGENTS = {"memory_envs", "memory_envs.wrappers", "memory_envs.oracles"}
SCORES_AND_DEMOS = {"agents.evaluation", "agents.trace", "agents.cli"}
CELLS_FOR_ALGORITHMS = {"agents.cells", *(f"agents.cells.{n}" for n in ("CELLS", "make_cell"))}


class Import(NamedTuple):
    """One import of a dotted name; `deferred` if importing the module does not run it."""

    target: str
    deferred: bool


Tree = dict[str, list[Import]]


def read_tree(root: Path) -> Tree:
    """Every module of the packages under `root`, with its imports."""
    tree = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            code = ast.parse(path.read_text(encoding="utf-8"))
            name = ".".join(parts[:-1] if is_package else parts)
            tree[name] = list(imports_of(code, parts[:-1]))
    return tree


def imports_of(node: ast.AST, parent: tuple[str, ...], deferred: bool = False) -> Iterator[Import]:
    """The imports below `node`, in a module of the package `parent`."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                yield from (Import(alias.name, deferred) for alias in child.names)
            case ast.ImportFrom():
                base = parent[: len(parent) + 1 - child.level] if child.level else ()
                base += (child.module,) if child.module else ()
                yield from (Import(".".join((*base, a.name)), deferred) for a in child.names)
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(name, deferred)
        is_body = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from imports_of(child, parent, deferred or is_body or is_typing)


def module_of(tree: Tree, target: str) -> str | None:
    """The module of `tree` that `target` is, or is defined in."""
    while target not in tree and "." in target:
        target = target.rpartition(".")[0]
    return target if target in tree else None


def layer_of(module: str) -> int | None:
    """The height of a module in its package; None for a helper."""
    package, *rest = module.split(".")
    name = rest[0] if rest else ""
    layers = enumerate(LAYERS.get(package, ()))
    return next((height for height, layer in layers if name in layer), None)


def is_imported_at_once(tree: Tree, module: str) -> bool:
    """Whether importing some other module imports `module` too."""
    imports = (item for items in tree.values() for item in items if not item.deferred)
    return any(module_of(tree, item.target) == module for item in imports)


def objection(tree: Tree, module: str, target: str, deferred: bool) -> str | None:
    """Why `module` must not import `target`; None if it may."""
    package, root = module.split(".")[0], target.split(".")[0]
    found, height = module_of(tree, target), layer_of(module)
    if root == "tests":
        return "only tests import tests"
    if package == "memory_envs":
        if root in RENDERING_NEEDS and not deferred and is_imported_at_once(tree, module):
            return "imported only when rendering"
        if root not in ENVIRONMENT_NEEDS | RENDERING_NEEDS:
            return "memory_envs needs nothing but numpy, numba and gymnasium"
    if package == "agents":
        if root == "benchmarks":
            return "benchmarks lie above agents"
        if root == "memory_envs" and found not in ENVIRONMENTS_FOR_AGENTS:
            return "agents use the public names of memory_envs only"
        if root == "memory_envs" and height in range(ALGORITHMS.stop):
            return "algorithms learn any Gymnasium environment"
        if found == "memory_envs.oracles" and module not in SCORES_AND_DEMOS:
            return "oracles are for tests, scores and demos"
        is_cell = target.startswith("agents.cells")
        if height in ALGORITHMS and is_cell and target not in CELLS_FOR_ALGORITHMS:
            return "algorithms name no cell"
    return None


def chains(tree: Tree, start: str) -> Iterator[list[str]]:
    """The shortest chain of imports from `start` to every other module that it reaches."""
    queue, seen = [[start]], {start}
    while queue:
        chain = queue.pop(0)
        for item in tree[chain[-1]]:
            module = module_of(tree, item.target)
            if module is not None and module not in seen:
                seen.add(module)
                queue.append([*chain, module])
                yield queue[-1]


def violations(tree: Tree) -> list[str]:
    """One line for every arrow that the design does not allow."""
    found = []
    for module, imports in tree.items():
        for target, deferred in imports:
            if reason := objection(tree, module, target, deferred):
                found.append(f"{module} -> {target}: {reason}")
        height = layer_of(module)
        for chain in chains(tree, module):
            top = layer_of(chain[-1])
            same_package = module.split(".")[0] == chain[-1].split(".")[0]
            if same_package and height is not None and top is not None and top > height:
                found.append(f"{' -> '.join(chain)}: upwards")
    return found


def test_imports_run_downwards() -> None:
    tree = read_tree(ROOT)
    assert {"memory_envs.core.rules", "agents.policies"} <= tree.keys()
    assert violations(tree) == []


def plant(root: Path, sources: dict[str, str]) -> Tree:
    """Write a small project with the given modules, and read it."""
    names = ["core.env", "tape.rules", "registration", "oracles", "curriculum"]
    base = {f"memory_envs.{name}": "" for name in names}
    base |= {f"agents.{name}": "" for name in ["state", "cells.lstm", "unroll", "policies", "ppo"]}
    base |= {f"{package}.__init__": "" for package in ("memory_envs", "agents", "agents.cells")}
    for module, source in (base | sources).items():
        path = root / (module.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return read_tree(root)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("memory_envs.core.env", "import torch"),
        ("memory_envs.core.env", "import importlib\nimportlib.import_module('torch.nn')"),
        ("memory_envs.tape.rules", "def f():\n    import matplotlib.pyplot"),
        ("memory_envs.wrappers", "import agents"),
        ("memory_envs.core.env", "from ..tape import rules"),
        ("memory_envs.core.env", "from memory_envs import Curriculum"),
        ("memory_envs.tape.rules", "def f():\n    from memory_envs.oracles import oracle"),
        ("memory_envs.__init__", "from . import oracles"),
        ("agents.cli", "from benchmarks import suites"),
        ("agents.cli", "from memory_envs.core.env import MemoryEnv"),
        ("agents.callbacks", "from memory_envs.curriculum import Curriculum"),
        ("agents.callbacks", "from memory_envs import oracles"),
        ("agents.ppo", "from memory_envs import Curriculum"),
        ("agents.on_policy", "from agents.cells import LstmCell"),
        ("agents.policies", "from agents.cells import lstm"),
        ("agents.cells.lstm", "from agents.policies import MemoryPolicy"),
        ("agents.state", "from agents.cells import make_cell"),
        ("agents.unroll", "from agents import MemoryPPO"),
        ("benchmarks.run", "import tests.conftest"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, module: str, source: str) -> None:
    found = violations(plant(tmp_path, {module: source}))
    assert module.removesuffix(".__init__") in {line.split(" -> ")[0] for line in found}


def test_a_window_imported_at_once_is_found(tmp_path: Path) -> None:
    sources = {"memory_envs.core.window": "try:\n    import pygame\nexcept ImportError:\n    raise"}
    sources["memory_envs.core.env"] = "from memory_envs.core.window import Window"
    found = violations(plant(tmp_path, sources))
    assert found == ["memory_envs.core.window -> pygame: imported only when rendering"]


def test_an_upward_chain_through_a_helper_is_found(tmp_path: Path) -> None:
    sources = {"agents.state": "import agents.shapes", "agents.shapes": "import agents.ppo"}
    found = violations(plant(tmp_path, sources))
    assert found == ["agents.state -> agents.shapes -> agents.ppo: upwards"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("memory_envs.core.env", "import math\nimport numpy as np\nfrom gymnasium import spaces"),
        ("memory_envs.tape.rules", "from ..core import env\nfrom memory_envs.core.env import x"),
        ("memory_envs.tape.render", "def f():\n    import pygame"),
        ("memory_envs.core.window", "import pygame"),
        ("memory_envs.__init__", "from .registration import register_all"),
        ("agents.callbacks", "from memory_envs import Curriculum\nimport torch"),
        ("agents.evaluation", "from memory_envs.oracles import optimal_return"),
        ("agents.cells.lstm", "from agents.state import map_state"),
        ("agents.policies", "from agents.cells import CELLS, make_cell\nimport agents.unroll"),
        ("agents.commands.train", "import agents, memory_envs\nfrom agents.ppo import x"),
        ("benchmarks.run", "from memory_envs.core import env\nfrom agents.cells import lstm"),
    ],
)
def test_a_downward_import_is_allowed(tmp_path: Path, module: str, source: str) -> None:
    assert violations(plant(tmp_path, {module: source})) == []


def test_importing_the_environments_loads_nothing_heavy() -> None:
    code = "import sys, memory_envs; print(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert "gymnasium" in loaded
    assert not loaded & {"torch", "numba", "matplotlib", "pygame", "minigrid", "stable_baselines3"}
