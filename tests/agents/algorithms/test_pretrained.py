"""The models that come with the package: they are found, load, and reach what their table says."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

import agents
from agents.algorithms.pretrained import Pretrained, find_pretrained, read_index
from agents.cli.main import main
from agents.saving.archive import read_archive
from agents.saving.atomic import write_json
from agents.training.run_directory import RunDirectory
from benchmarks.pretrained import FIRST_SEED, MODELS, PAGE, describe, measure, page

NAMES = list(read_index())
FRESH_SEED = 2 * FIRST_SEED  # the table's are below
EPISODES = 100
Capture = pytest.CaptureFixture[str]


def tolerance(first: float, first_episodes: int, second: float, second_episodes: int) -> float:
    """Four standard errors of the difference of two shares of the same probability."""
    hits = first * first_episodes + second * second_episodes
    # Two more of each kind (Agresti and Coull): the error of a share of 1 is not 0.
    share = (hits + 2) / (first_episodes + second_episodes + 4)
    return 4 * math.sqrt(share * (1 - share) * (1 / first_episodes + 1 / second_episodes))


def return_tolerance(std: float, first_episodes: int, second_episodes: int) -> float:
    """Likewise for two means of returns, and nothing where all returns are equal."""
    return 4 * std * math.sqrt(1 / first_episodes + 1 / second_episodes)


def test_the_tolerance_finds_what_it_should() -> None:
    assert tolerance(1.0, 1000, 0.95, EPISODES) < 1.0 - 0.95
    assert tolerance(1.0, 1000, 0.99, EPISODES) > 1.0 - 0.99
    assert tolerance(0.99, 1000, 0.9, EPISODES) < 0.99 - 0.9
    assert return_tolerance(50.0, 1000, EPISODES) == pytest.approx(20.98, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_s_numbers_come_out_again_on_fresh_seeds(name: str) -> None:
    about, model = find_pretrained(name), agents.load_pretrained(name)
    hardest = about.hardest_level
    levels = sorted({1, -(-hardest // 2), hardest}) if hardest else [0]
    for level, found in measure(model, about, levels, EPISODES, FRESH_SEED).items():
        told = about.scores[level]
        assert (found.success is None) == (told.success is None)
        if found.success is not None and told.success is not None:
            allowed = tolerance(told.success, about.episodes, found.success, EPISODES)
            assert abs(found.success - told.success) <= allowed, level
        # The deviation of all episodes: a hundred may have none where a thousand have some.
        std = max(found.return_std, told.return_std)
        allowed = return_tolerance(std, about.episodes, EPISODES)
        assert abs(found.return_mean - told.return_mean) <= allowed, level


def test_every_model_is_in_the_index_and_is_small() -> None:
    files = {str(path.relative_to(MODELS)) for path in MODELS.glob("*/*.zip")}
    assert files == {f"{name}.zip" for name in NAMES}
    for file in files:
        assert (MODELS / file).stat().st_size < 1_000_000
        _, tensors = read_archive(MODELS / file)
        assert not [name for name in tensors if name.startswith("optimizer.")]
    for about in read_index().values():
        hardest = about.hardest_level
        assert sorted(about.scores) == (list(range(1, hardest + 1)) if hardest else [0])
        assert about.env_kwargs.get("min_length", 0) == hardest
        assert "--out" not in about.command


def test_the_page_is_what_the_index_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read_index())


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(ValueError, match=r"rl-ntm/Cpy'; allowed: .*did you mean 'rl-ntm/Copy'"):
        agents.load_pretrained("rl-ntm/Cpy")
    with pytest.raises(ValueError, match="pretrained is 'xyzzy'; allowed: cartpole/"):
        find_pretrained("xyzzy")


def test_it_is_evaluated_and_traced_at_the_hardest_level(capsys: Capture, tmp_path: Path) -> None:
    command = "evaluate --pretrained rl-ntm/Copy --episodes 20 --seed 7 --json"
    assert main(command.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["env"]) == ("rl-ntm/Copy", "Tape-Copy-Hard-v0")
    assert (found["deterministic"], found["return_mean"]) == (True, 31.0)
    assert main(f"trace --pretrained rl-ntm/Copy --out {tmp_path}".split()) == 0
    assert "success   return 31 of 31" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["trace.txt"]


def test_they_are_listed(capsys: Capture) -> None:
    assert main(["list", "--family", "tape", "--json"]) == 0
    rows = {row["id"]: row["pretrained"] for row in json.loads(capsys.readouterr().out)}
    assert rows["Tape-Copy-Hard-v0"] == ["rl-ntm/Copy"]
    assert rows["Tape-Copy-v0"] == []


def test_a_run_is_described_without_its_folder(tmp_path: Path) -> None:
    settings = {
        "env": "Tape-Copy-v0",
        "memory": "lstm",
        "seed": 3,
        "part": 0,
        "commit": "abc",
        "command": "memory-envs train --env Tape-Copy-v0 --out 'my runs/1' --seed 3",
        "recipe": {
            "env_kwargs": {"max_length": 4, "on_error": "continue"},
            "evaluation_kwargs": {"on_error": "terminate"},
        },
    }
    write_json(tmp_path / "settings.json", settings)
    assert describe(RunDirectory(tmp_path), 99) == Pretrained(
        env="Tape-Copy-v0",
        env_kwargs={"max_length": 4, "on_error": "terminate", "min_length": 4},
        memory="lstm",
        seed=3,
        command="memory-envs train --env Tape-Copy-v0 --seed 3",
        commit="abc",
        steps=99,
        scores={},
        episodes=0,
        first_seed=0,
    )
    write_json(tmp_path / "settings.json", {**settings, "part": 1})
    with pytest.raises(ValueError, match="continues another run"):
        describe(RunDirectory(tmp_path), 99)


def test_it_predicts_without_an_optimizer_and_can_learn_on(tmp_path: Path) -> None:
    code = (
        "import sys, numpy, agents; model = agents.load_pretrained('rl-ntm/Copy'); "
        "model.predict(numpy.zeros((1, 5), int)); model.save(sys.argv[1]); "
        "assert 'torch._dynamo' not in sys.modules"  # which an optimizer imports, for seconds
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "copy.zip")], check=True)
    about = find_pretrained("rl-ntm/Copy")
    model = agents.load_pretrained("rl-ntm/Copy")
    env = agents.make_vec_env(about.env, model.n_envs, **about.env_kwargs)
    model.set_env(env)
    for trained in (model, agents.load(tmp_path / "copy.zip", env)):
        before = trained.policy.state_dict()["controller.bias"].clone()
        trained.learn(1)
        assert not trained.policy.state_dict()["controller.bias"].equal(before)
