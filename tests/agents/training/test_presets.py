"""Presets are data: all of it is valid, and what is not is refused."""

import copy
import json
from typing import Any

import pytest

import agents.training.presets
from agents import make_vec_env
from agents.algorithms.settings import read_presets
from agents.training.presets import check_entry, load_preset, preset_files, read_file, tuned_recipes
from agents.training.recipes import (
    Recipe,
    RecipeError,
    change,
    make_curriculum,
    make_model,
    read_recipe,
)
from memory_envs import ENVIRONMENTS

VALID: dict[str, Any] = {
    "timesteps": 1000,
    "n_envs": 4,
    "env_kwargs": {},
    "curriculum": {"level": 1},
    "algorithm": {"learning_rate": {"start": 0.01, "end": 0.001}, "n_steps": 8, "batch_size": 16},
    "policy": {"net_arch": [8], "memory_kwargs": {"hidden_size": 4}},
}
RECIPES = [
    (file, entry, name)
    for file in preset_files()
    for entry, recipes in read_file(file).items()
    for name in recipes
    if name != "default"
]
REAL_IDS = {"tape.json": "Tape-Sort-v0", "algorithmic.json": "Algorithmic/Reverse-v0"}
REAL_IDS |= {"maze.json": "Maze-InvisibleGoal-9x9-v0", "any.json": "CartPole-v1"}


def test_every_family_has_a_file() -> None:
    families = {spec.family for spec in ENVIRONMENTS.values()}
    assert {f"{family}.json" for family in families} | {"any.json"} == set(preset_files())


@pytest.mark.parametrize(("file", "entry", "name"), RECIPES, ids=" ".join)
def test_every_recipe_builds_a_model(file: str, entry: str, name: str) -> None:
    env_id = REAL_IDS[file] if entry == "*" else entry
    algorithm, memory = name.split("/")
    recipe = read_recipe(read_file(file)[entry][name], algorithm, file)
    curriculum = make_curriculum(recipe, env_id)
    extra: dict[str, Any] = {} if curriculum is None else {"curriculum": curriculum}
    env = make_vec_env(env_id, 2, **recipe.env_kwargs, **extra)
    model = make_model(recipe, algorithm, memory.replace("*", "lstm"), env, seed=0)
    settings = recipe.algorithm
    assert model.gamma == settings["gamma"]
    rate = settings["learning_rate"]
    ends = (rate["start"], rate["end"]) if isinstance(rate, dict) else (rate, rate)
    assert (model.lr_schedule(1.0), model.lr_schedule(0.0)) == pytest.approx(ends)
    if "batch_size" in settings:
        assert recipe.n_envs * settings["n_steps"] % settings["batch_size"] == 0


@pytest.mark.parametrize("env_id", [*ENVIRONMENTS, "CartPole-v1"])
def test_every_id_has_a_recipe_for_everything(env_id: str) -> None:
    default = load_preset(env_id)
    assert default.tuned == bool(tuned_recipes(env_id))
    if default.tuned:
        assert f"{default.algorithm}/{default.memory}" == tuned_recipes(env_id)[0]
    for algorithm in ("ppo", "a2c", "reinforce"):
        for memory in ("none", "lstm", "gru", "ntm"):
            preset = load_preset(env_id, algorithm, memory)
            assert (preset.algorithm, preset.memory) == (algorithm, memory)


def test_the_tasks_of_the_main_job_are_tuned() -> None:
    for task in ("Copy", "DuplicatedInput", "Reverse", "RepeatCopy", "ForwardReverse"):
        assert load_preset(f"Tape-{task}-v0").tuned


def test_the_most_specific_recipe_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(timesteps: int) -> dict[str, Any]:
        return {**VALID, "timesteps": timesteps}

    files: dict[str, Any] = {
        "tape.json": {
            "Tape-Copy-v0": {"default": "ppo/gru", "ppo/gru": named(1), "a2c/lstm": named(2)},
            "*": {"default": "ppo/lstm", "ppo/*": named(3), "ppo/ntm": named(4)},
        },
        "any.json": {"*": {"default": "ppo/none", "ppo/*": named(5), "reinforce/*": named(6)}},
    }
    for recipes in (files["tape.json"]["Tape-Copy-v0"], files["any.json"]["*"]):
        for name in recipes.keys() & {"a2c/lstm", "reinforce/*"}:
            data = copy.deepcopy(VALID)
            del data["algorithm"]["batch_size"]
            if name == "reinforce/*":
                del data["algorithm"]["n_steps"]
            recipes[name] = {**data, "timesteps": recipes[name]["timesteps"]}
    monkeypatch.setattr(agents.training.presets, "read_file", files.__getitem__)
    monkeypatch.setattr(agents.training.presets, "preset_files", lambda: sorted(files))

    def found(env_id: str, *wanted: str | None) -> tuple[int, str, str]:
        preset = load_preset(env_id, *wanted)
        return preset.recipe.timesteps, preset.algorithm, preset.memory

    assert found("Tape-Copy-v0") == (1, "ppo", "gru")
    assert found("Tape-Copy-v0", "ppo") == (1, "ppo", "gru")
    assert found("Tape-Copy-v0", None, "lstm") == (2, "a2c", "lstm")
    assert found("Tape-Copy-v0", "ppo", "lstm") == (3, "ppo", "lstm")
    assert found("Tape-Copy-v0", None, "ntm") == (4, "ppo", "ntm")
    assert found("Tape-Copy-v0", "reinforce", "ntm") == (6, "reinforce", "ntm")
    assert found("Tape-Sort-v0") == (3, "ppo", "lstm")
    assert found("CartPole-v1") == (5, "ppo", "none")
    with pytest.raises(RecipeError, match="no preset for a2c/gru"):
        load_preset("CartPole-v1", "a2c", "gru")


def test_a_recipe_takes_over_what_it_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {
        "Tape-Copy-v0": {
            "default": "rl_ntm/lstm",
            "rl_ntm/*": {"like": "*", "timesteps": 7, "policy": {"hidden_size": 2}},
        },
        "*": {
            "default": "ppo/gru",
            "ppo/*": {"timesteps": 1},
            "rl_ntm/*": {"timesteps": 2, "policy": {"gain": 3.0, "hidden_size": 1}},
            "rl_ntm/lstm": {"timesteps": 3, "n_envs": 5},
        },
    }
    monkeypatch.setattr(json, "loads", lambda _text: data)
    found = read_presets("tape.json")["Tape-Copy-v0"]
    assert found == {
        "default": "rl_ntm/lstm",
        "rl_ntm/*": {"timesteps": 7, "policy": {"gain": 3.0, "hidden_size": 2}},
        "rl_ntm/lstm": {"timesteps": 7, "n_envs": 5, "policy": {"hidden_size": 2}},
    }
    del data["*"]["rl_ntm/*"], data["*"]["rl_ntm/lstm"]
    with pytest.raises(ValueError, match=r"Tape-Copy-v0: rl_ntm/\* is like '\*'"):
        read_presets("tape.json")


def test_rl_ntm_has_direct_access_by_default() -> None:
    for env_id in ("Tape-Copy-Easy-v0", "Tape-Sort-v0", "Tape-Reverse-Hard-v0"):
        for algorithm in ("rl_ntm", "rl_ntm-paper"):
            assert load_preset(env_id, algorithm).memory == "direct_access"


@pytest.mark.parametrize(
    ("change_to", "message"),
    [
        ({"timestep": 5}, "recipe setting is 'timestep'; .*did you mean 'timesteps'"),
        ({"timesteps": 0}, "timesteps is 0; allowed: integers from 1 on"),
        ({"n_envs": True}, "n_envs is True; allowed: integers from 1 on"),
        ({"env_kwargs": None}, "env_kwargs is None; allowed: objects"),
        (
            {"curriculum": {"levl": 1}},
            "curriculum setting is 'levl'; .*did you mean 'level'",
        ),
        ({"algorithm": {"entropy": 1}}, "algorithm setting is 'entropy'; allowed"),
        ({"algorithm": {"seed": 1}}, "algorithm setting is 'seed'; allowed"),
        ({"algorithm": 3}, "algorithm is 3; allowed: objects"),
        ({"policy": {"memory": "gru"}}, "policy setting is 'memory'; allowed"),
        (
            {"policy": {"netarch": [3]}},
            "policy setting is 'netarch'; .*did you mean 'net_arch'",
        ),
        ({"deterministic": "yes"}, "deterministic is 'yes'; allowed: False, True"),
    ],
)
def test_a_wrong_recipe_is_refused(change_to: dict[str, Any], message: str) -> None:
    read_recipe(VALID, "ppo", "here")
    with pytest.raises(RecipeError, match=message):
        read_recipe({**VALID, **change_to}, "ppo", "here")


def test_an_incomplete_recipe_is_refused() -> None:
    rest = {name: value for name, value in VALID.items() if name not in ("n_envs", "policy")}
    with pytest.raises(RecipeError, match="here: n_envs, policy missing"):
        read_recipe(rest, "ppo", "here")


def test_each_algorithm_has_its_own_arguments() -> None:
    with pytest.raises(RecipeError, match=r"algorithm setting is 'batch_size'; allowed"):
        read_recipe(VALID, "a2c", "here")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"default": "ppo/gru", "ppo/lstm": {}}, "default 'ppo/gru' is not one of its recipes"),
        ({"ppo/lstm": {}}, "default '' is not one"),
        (
            {"default": "ppo/lstm", "ppo/lstm": {}, "pp/lstm": {}},
            "preset is 'pp/lstm'; allowed",
        ),
        (
            {"default": "ppo/lstm", "ppo/lstm": {}, "ppo": {}},
            "preset is 'ppo'; allowed",
        ),
    ],
)
def test_a_wrong_entry_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_entry("here", entry)


def recipe(**fields: Any) -> Recipe:
    return read_recipe({**copy.deepcopy(VALID), **fields}, "ppo", "here")


def test_single_settings_can_be_changed() -> None:
    before = recipe()
    after = change(
        before,
        [
            "timesteps=5",
            "algorithm.ent_coef=0.5",
            "policy.memory_kwargs.hidden_size=9",
            "env_kwargs.on_error=continue",
            "curriculum=null",
        ],
        "ppo",
    )
    assert after.timesteps == 5
    assert after.algorithm == {**VALID["algorithm"], "ent_coef": 0.5}
    assert after.policy["memory_kwargs"] == {"hidden_size": 9}
    assert after.env_kwargs == {"on_error": "continue"}
    assert after.curriculum is None
    assert before == recipe()
    assert change(after, ["curriculum.level=3"], "ppo").curriculum == {"level": 3}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("timesteps", "--set is 'timesteps'; allowed: name=value"),
        ("timesteps=many", "timesteps is 'many'; allowed: integers from 1 on"),
        ("ent_coef=1", "recipe setting is 'ent_coef'; allowed"),
        (
            "algorithm.entcoef=1",
            "algorithm setting is 'entcoef'; .*did you mean 'ent_coef'",
        ),
        ("n_envs.more=1", "n_envs has no settings of its own"),
    ],
)
def test_a_wrong_change_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        change(recipe(), [assignment], "ppo")


def test_the_curriculum_reaches_up_to_the_longest_input() -> None:
    by_id = make_curriculum(recipe(), "Tape-Copy-Hard-v0")
    given = make_curriculum(recipe(env_kwargs={"max_length": 4}), "Tape-Copy-Hard-v0")
    assert by_id is not None
    assert given is not None
    assert (by_id.max_level, given.max_level, by_id.level) == (30, 4, 1)
    assert make_curriculum(recipe(curriculum=None), "CartPole-v1") is None
    with pytest.raises(RecipeError, match="has no max_length"):
        make_curriculum(recipe(), "CartPole-v1")
    with pytest.raises(RecipeError, match=r"curriculum\.level is 11; allowed: integers"):
        make_curriculum(recipe(curriculum={"level": 11}), "Tape-Copy-v0")


def test_what_the_algorithm_refuses_is_named() -> None:
    env = make_vec_env("Tape-Copy-v0", 4)
    wrong = recipe(algorithm={"n_steps": 8, "batch_size": 12})
    with pytest.raises(RecipeError, match="ppo/gru: batch_size is 12"):
        make_model(wrong, "ppo", "gru", env, seed=0)
    wrong = recipe(algorithm={"learning_rate": {"from": 1, "to": 0}})
    with pytest.raises(
        RecipeError, match=r"learning_rate is .*; allowed: a number, or start and end"
    ):
        make_model(wrong, "ppo", "gru", env, seed=0)
