"""Every preset is valid, the most specific one is found, and wrong recipes are refused."""

import copy
from typing import Any

import pytest

from agents import make_vec_env
from agents.algorithms.table import ALGORITHMS
from agents.training.presets import EVERY, GENERAL, MODULES, find_preset
from agents.training.recipes import (
    Recipe,
    RecipeError,
    change,
    make_curriculum,
    make_model,
    read_assignments,
    read_recipe,
)
from memory_envs import ENVIRONMENTS
from memory_envs.stream import TASKS

VALID: dict[str, Any] = {
    "timesteps": 1000,
    "n_envs": 4,
    "env_kwargs": {},
    "curriculum": {"level": 1},
    "algorithm": {"learning_rate": {"start": 0.01, "end": 0.001}, "n_steps": 8, "batch_size": 16},
    "policy": {"net_arch": [8], "memory_kwargs": {"hidden_size": 4}},
    "deterministic": True,
    "evaluation_kwargs": {},
}
_TWINS = {f"Stream-bAbI-QA{number}-v0" for number in range(2, 21)}  # they share their recipes
RECIPES = [
    (module, entry, name)
    for module, entries in MODULES.items()
    for entry, recipes in entries.items()
    for name in recipes
    if entry not in _TWINS
]
REAL_IDS = {"tape": "Tape-Sort-v0", "algorithmic": "Algorithmic/Reverse-v0"}
REAL_IDS |= {"maze": "Maze-InvisibleGoal-9x9-v0", GENERAL: "CartPole-v1"}
REAL_IDS |= {"stream": "Stream-Copy-v0"}


def test_every_family_has_recipes() -> None:
    families = {spec.family for spec in ENVIRONMENTS.values()}
    assert families | {GENERAL} == set(MODULES)
    for module, entries in MODULES.items():
        for entry in entries.keys() - {EVERY}:
            family = ENVIRONMENTS[entry].family if entry in ENVIRONMENTS else GENERAL
            assert family == module
        first = next(iter(entries[EVERY]))
        assert first.split("/")[1] in ALGORITHMS[first.split("/")[0]].memory_names()


@pytest.mark.parametrize(("module", "entry", "name"), RECIPES, ids=" ".join)
def test_every_recipe_builds_a_model(module: str, entry: str, name: str) -> None:
    env_id = REAL_IDS[module] if entry == EVERY else entry
    algorithm, memory = name.split("/")
    recipe = read_recipe(MODULES[module][entry][name].to_dict(), algorithm, module)
    advance = make_curriculum(recipe, env_id)
    extra: dict[str, Any] = {} if advance is None else {"curriculum": advance.curriculum}
    rows = 2
    if algorithm == "mann_rl":  # it reads columns of streams, and wants an answer at every step
        rows, env_id = 128, "Stream-Logic-v0" if entry == EVERY else entry
    env = make_vec_env(env_id, rows, **recipe.env_kwargs, **extra)
    model: Any = make_model(recipe, algorithm, memory.replace(EVERY, "lstm"), env, seed=0)
    settings = recipe.algorithm
    assert model.gamma == settings.get("gamma", model.gamma)
    rate = settings.get("learning_rate", model.learning_rate)
    ends = (rate["start"], rate["end"]) if isinstance(rate, dict) else (rate, rate)
    assert (model.lr_schedule(1.0), model.lr_schedule(0.0)) == pytest.approx(ends)
    if "batch_size" in settings:
        assert recipe.n_envs * settings["n_steps"] % settings["batch_size"] == 0


@pytest.mark.parametrize("env_id", [*ENVIRONMENTS, "CartPole-v1"])
def test_every_id_has_a_recipe_for_everything(env_id: str) -> None:
    default = find_preset(env_id)
    family = ENVIRONMENTS[env_id].family if env_id in ENVIRONMENTS else GENERAL
    assert default.tuned == (env_id in MODULES[family])
    if default.tuned:
        first = next(iter(MODULES[family][env_id]))
        assert f"{default.algorithm}/{default.memory}" == first
    for algorithm in ("ppo", "a2c", "reinforce"):
        for memory in ("none", "lstm", "gru", "ntm"):
            preset = find_preset(env_id, algorithm, memory)
            assert (preset.algorithm, preset.memory) == (algorithm, memory)


@pytest.mark.parametrize(
    "env_id",
    [i for i, spec in ENVIRONMENTS.items() if spec.family == "stream" and spec.task in TASKS],
)
def test_a_stream_is_learnt_by_reward_unless_one_says_otherwise(env_id: str) -> None:
    memory = "gated-delta" if "ppo/gated-delta" in MODULES["stream"].get(env_id, {}) else "lstm"
    first, fitted = find_preset(env_id), find_preset(env_id, "supervised")
    assert (first.algorithm, first.memory, fitted.memory) == ("ppo", memory, memory)


def test_the_tasks_of_the_main_job_are_tuned() -> None:
    for task in ("Copy", "DuplicatedInput", "Reverse", "RepeatCopy", "ForwardReverse"):
        assert find_preset(f"Tape-{task}-v0").tuned


def test_tuned_tasks_start_with_the_weights_that_they_were_tuned_with() -> None:
    for env_id in ("Tape-Copy-v0", "Tape-Reverse-v0", "Tape-RepeatCopy-v0"):
        recipe = find_preset(env_id, "ppo", "lstm").recipe
        model: Any = make_model(recipe, "ppo", "lstm", make_vec_env(env_id, recipe.n_envs), 0)
        gates = model.policy.network.memory.bias_ih.unflatten(0, (4, -1))
        assert (gates[1] == 1.0).all(), env_id


def test_the_most_specific_recipe_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = {
        "Tape-Copy-v0": {"ppo/gru": Recipe(timesteps=1), "a2c/lstm": Recipe(timesteps=2)},
        EVERY: {"ppo/lstm": Recipe(timesteps=3), "ppo/*": Recipe(timesteps=4)},
    }
    general = {EVERY: {"ppo/none": Recipe(timesteps=5), "reinforce/*": Recipe(timesteps=6)}}
    monkeypatch.setitem(MODULES, "tape", tape)
    monkeypatch.setitem(MODULES, GENERAL, general)

    def found(env_id: str, *wanted: str | None) -> tuple[int, str, str]:
        preset = find_preset(env_id, *wanted)
        return preset.recipe.timesteps, preset.algorithm, preset.memory

    assert found("Tape-Copy-v0") == (1, "ppo", "gru")
    assert found("Tape-Copy-v0", "ppo") == (1, "ppo", "gru")
    assert found("Tape-Copy-v0", None, "lstm") == (3, "ppo", "lstm")
    assert found("Tape-Copy-v0", "ppo", "lstm") == (3, "ppo", "lstm")
    assert found("Tape-Copy-v0", "a2c", "lstm") == (2, "a2c", "lstm")
    assert found("Tape-Copy-v0", None, "ntm") == (4, "ppo", "ntm")
    assert found("Tape-Copy-v0", "reinforce", "ntm") == (6, "reinforce", "ntm")
    assert found("Tape-Sort-v0") == (3, "ppo", "lstm")
    assert found("CartPole-v1") == (5, "ppo", "none")
    own = Recipe().timesteps
    assert found("CartPole-v1", "a2c", "gru") == (own, "a2c", "gru")
    assert find_preset("CartPole-v1", "a2c").source == "no preset, the defaults of MemoryA2C"


def test_what_cannot_be_trained_has_no_preset() -> None:
    with pytest.raises(RecipeError, match="for rl_ntm on CartPole-v1; it plays the family tape"):
        find_preset("CartPole-v1", "rl_ntm")
    with pytest.raises(RecipeError, match="no preset for feedforward on CartPole-v1"):
        find_preset("CartPole-v1", None, "feedforward")
    with pytest.raises(RecipeError, match="memory is 'gru'; allowed with rl_ntm: lstm, direct_"):
        find_preset("Tape-Copy-v0", "rl_ntm", "gru")


def test_rl_ntm_has_direct_access_by_default() -> None:
    for env_id in ("Tape-Copy-Easy-v0", "Tape-Sort-v0", "Tape-Reverse-Hard-v0"):
        for algorithm in ("rl_ntm", "rl_ntm-paper"):
            assert find_preset(env_id, algorithm).memory == "direct_access"


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


def recipe(**fields: Any) -> Recipe:
    return read_recipe({**copy.deepcopy(VALID), **fields}, "ppo", "here")


def test_single_settings_can_be_changed() -> None:
    before = recipe()
    after = change(
        before,
        {
            "timesteps": 5,
            "algorithm.ent_coef": 0.5,
            "policy.memory_kwargs.hidden_size": 9,
            "env_kwargs.on_error": "continue",
            "curriculum": None,
        },
        "ppo",
    )
    assert after.timesteps == 5
    assert after.algorithm == {**VALID["algorithm"], "ent_coef": 0.5}
    assert after.policy["memory_kwargs"] == {"hidden_size": 9}
    assert after.env_kwargs == {"on_error": "continue"}
    assert after.curriculum is None
    assert before == recipe()
    assert change(after, {"curriculum.level": 3}, "ppo").curriculum == {"level": 3}


def test_assignments_are_read() -> None:
    words = ["timesteps=1e5", "algorithm.ent_coef=0.5", "a.b=continue", "curriculum=null", "c=1e-3"]
    values = [100_000, 0.5, "continue", None, 0.001]
    found = read_assignments(words, "--set")
    assert list(found.values()) == values
    assert type(found["timesteps"]) is int
    assert list(found) == ["timesteps", "algorithm.ent_coef", "a.b", "curriculum", "c"]
    with pytest.raises(RecipeError, match="--set is 'timesteps'; allowed: name=value"):
        read_assignments(["timesteps"], "--set")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("timesteps", "many", "here: timesteps is 'many'; allowed: integers from 1 on"),
        ("ent_coef", 1, "here: recipe setting is 'ent_coef'; allowed"),
        ("algorithm.entcoef", 1, "algorithm setting is 'entcoef'; .*did you mean 'ent_coef'"),
        ("n_envs.more", 1, "here: n_envs.more: n_envs has no settings of its own"),
        ("algorithm.gamma", object(), "here: .*object is not JSON.*; allowed: what JSON can hold"),
    ],
)
def test_a_wrong_change_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        change(recipe(), {name: value}, "ppo", "here")


def test_the_curriculum_reaches_up_to_the_longest_input() -> None:
    by_id = make_curriculum(recipe(), "Tape-Copy-Hard-v0")
    given = make_curriculum(recipe(env_kwargs={"max_length": 4}), "Tape-Copy-Hard-v0")
    assert by_id is not None
    assert given is not None
    assert (by_id.curriculum.max_level, given.curriculum.max_level) == (30, 4)
    assert (by_id.curriculum.level, by_id.error) == (1, "episodes")
    assert make_curriculum(recipe(curriculum=None), "CartPole-v1") is None
    with pytest.raises(RecipeError, match="has no max_length"):
        make_curriculum(recipe(), "CartPole-v1")
    with pytest.raises(RecipeError, match=r"curriculum\.level is 11; allowed: integers"):
        make_curriculum(recipe(curriculum={"level": 11}), "Tape-Copy-v0")


def test_a_rate_can_be_held_before_it_goes_down() -> None:
    changes = read_assignments(
        ['algorithm.learning_rate={"start":0.01,"end":0.002,"hold":0.5}'], "--set"
    )
    held = change(recipe(), changes, "ppo")
    model: Any = make_model(held, "ppo", "gru", make_vec_env("Tape-Copy-v0", 4), seed=0)
    rates = [model.lr_schedule(left) for left in (1.0, 0.7, 0.5, 0.25, 0.0)]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.006, 0.002])
    for hold in (1.0, -0.1):
        wrong = recipe(algorithm={"learning_rate": {"start": 1, "end": 0, "hold": hold}})
        with pytest.raises(RecipeError, match=f"learning_rate: hold is {hold}; allowed: numbers"):
            make_model(wrong, "ppo", "gru", make_vec_env("Tape-Copy-v0", 4), seed=0)


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
