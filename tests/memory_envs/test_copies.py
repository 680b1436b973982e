"""Copies of an environment, pickled or deep, go on as the original does."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from memory_envs import Curriculum
from tests.memory_envs.conftest import make, play

ROOT = Path(__file__).parents[2]
IDS_OF_FAMILIES = ("Tape-ForwardReverse-v0", "Algorithmic/Copy-v0", "Maze-InvisibleGoal-9x9-v0")


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copies_of_an_environment_go_on_alike(env_id: str, how: str) -> None:
    env = make(env_id)
    env.reset(seed=6)
    play(env, np.random.default_rng(0), 5)
    other = pickle.loads(pickle.dumps(env)) if how == "pickle" else copy.deepcopy(env)
    runs = [play(each, np.random.default_rng(1), 40) for each in (env, other)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("one_id", IDS_OF_FAMILIES)
def test_a_pickled_environment_goes_on_in_another_process(one_id: str, tmp_path: Path) -> None:
    curriculum = Curriculum(10, level=9)
    kwargs = {"curriculum": curriculum} if one_id.startswith("Tape") else {}
    env = make(one_id, **kwargs)
    env.reset(seed=6)
    path = tmp_path / "env.pickle"
    path.write_bytes(pickle.dumps(env))
    code = (
        "import pickle, sys, numpy as np; from tests.memory_envs.conftest import play;"
        "env = pickle.loads(open(sys.argv[1], 'rb').read());"
        "print(play(env, np.random.default_rng(1), 20))"
    )
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(play(env, np.random.default_rng(1), 20))
    if kwargs:
        assert pickle.loads(path.read_bytes()).rules.settings.curriculum.level == 9
