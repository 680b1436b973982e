"""The wheel, tried as a user gets it: ``python -m tests.wheel [PYTHON ...]``.

Builds it, checks its metadata and its files, and installs it into fresh environments: alone for
each PYTHON, by default that which runs this, and then with every extra. There, in an empty folder,
the environments, README's snippets and the command run from the wheel and from nothing else.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
PACKAGES = ("memory_envs", "agents")
ALONE = """
import importlib.util
import sys

import gymnasium as gym

import memory_envs

assert "site-packages" in memory_envs.__file__, memory_envs.__file__
for env_id in memory_envs.ENVIRONMENTS:
    env, rows = gym.make(env_id), gym.make_vec(env_id, num_envs=3)
    observation, info = env.reset(seed=0)
    observations, infos = rows.reset(seed=0)
    assert (observation == observations[0]).all(), env_id
    for _ in range(20):
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        rows.step(rows.action_space.sample())
        if terminated or truncated:
            env.reset()
picture = gym.make("Tape-Reverse-v0", render_mode="rgb_array")
picture.reset(seed=0)
assert picture.render().ndim == 3
assert not {"torch", "pygame", "stable_baselines3"} & sys.modules.keys()
assert importlib.util.find_spec("torch") is None
print(f"memory_envs alone: {len(memory_envs.ENVIRONMENTS)} ids on Python {sys.version.split()[0]}")
"""
COMMANDS = (
    "list",
    "train Tape-Copy-Easy-v0 --timesteps 4096 --out run",
    "evaluate run --episodes 20 --json",
    "trace run",
    "trace --pretrained rl-ntm/ForwardReverse",
    "gradcheck --algo reinforce",
)


def run(folder: Path, *words: object, code: int = 0) -> str:
    """Runs a command in a folder, where nothing of the checkout is on the path.

    Args:
        folder: Where it runs.
        *words: The command.
        code: The exit code that it should have.

    Returns:
        What it printed.

    Raises:
        SystemExit: If it ended with another code, with what it printed.
    """
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != code:
        raise SystemExit(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr if code else done.stdout


def build(folder: Path) -> Path:
    """Builds the wheel from a copy of what git knows: an old build folder would leak into it."""
    names = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder)
    run(folder, *pip, folder / "source")
    (wheel,) = folder.glob("*.whl")
    return wheel


def check(wheel: Path) -> None:
    """Checks metadata and files; they are those of the checkout, and no other."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(about), validate=True)
        entry_points = archive.read(about.replace("METADATA", "entry_points.txt")).decode()
    assert metadata.name == "memory-envs"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.description_content_type == "text/markdown"
    assert metadata.license_files == ["LICENSE"]
    command = ["memory-envs", "=", "memory_envs.__main__:main"]
    assert entry_points.split() == ["[console_scripts]", *command]
    listing = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    known = {name for name in listing.split("\0") if name.startswith(PACKAGES)}
    found = {name for name in names if ".dist-info/" not in name}
    assert found == {name for name in known if (ROOT / name).is_file()}, found ^ known
    print(f"{wheel.name}: {len(found)} files, metadata {metadata.metadata_version}")


def install(folder: Path, python: str, what: str) -> Path:
    """Makes an environment with the wheel in it, and returns its folder of programs."""
    run(folder, python, "-m", "venv", folder)
    programs = folder / "bin"
    pip = (programs / "python", "-m", "pip", "install", "--quiet", "--no-compile")
    run(folder, *pip, "--constraint", CONSTRAINTS, what)
    return programs


def try_alone(wheel: Path, python: str) -> None:
    """Installs the wheel without extras, and plays every environment."""
    with tempfile.TemporaryDirectory() as folder:
        programs = install(Path(folder), python, str(wheel))
        print(run(Path(folder), programs / "python", "-W", "error", "-c", ALONE), end="")
        said = run(Path(folder), programs / "memory-envs", "--help", code=2)
        assert 'pip install "memory-envs[agents]"' in said, said


def try_everything(wheel: Path, python: str) -> None:
    """Installs the wheel with every extra, and runs README's snippets and the command."""
    with tempfile.TemporaryDirectory() as folder:
        programs, there = install(Path(folder), python, f"{wheel}[all]"), Path(folder) / "empty"
        there.mkdir()
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        source = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL))
        shorter = re.sub(r"learn\([\d_]+\)", "learn(2_000)", source)
        where = "import agents, memory_envs\nprint(agents.__file__, memory_envs.__file__)\n"
        (there / "readme.py").write_text(where + shorter, encoding="utf-8")
        files = run(there, programs / "python", "readme.py").splitlines()[0].split()
        assert all(file.startswith(folder) for file in files), files
        print("README's snippets ran from the wheel")
        for command in COMMANDS:
            run(there, programs / "memory-envs", *command.split())
            print(f"memory-envs {command}")


def main(pythons: list[str]) -> None:
    """Builds, checks, installs, runs."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(Path(folder))
        check(wheel)
        for python in pythons or [sys.executable]:
            try_alone(wheel, python)
        try_everything(wheel, sys.executable)


if __name__ == "__main__":
    main(sys.argv[1:])
