"""`RLNTM.paper`: the paper's settings, and a curriculum that advances by itself."""

from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.callbacks import BaseCallback

from agents import RLNTM, make_vec_env
from agents.algorithms.rl_ntm.paper_settings import SIZES
from agents.training.presets import find_preset

PRESET = find_preset("Tape-Copy-v0", "rl_ntm-paper").recipe
FORCED: dict[str, Any] = {"forced_emission": True, "on_error": "continue"}


def test_its_attributes_are_the_preset_s() -> None:
    model = RLNTM.paper("Tape-Copy-Hard-v0", seed=0)
    algorithm, policy = dict(PRESET.algorithm), dict(PRESET.policy)
    assert model.lr_schedule(1.0) == model.lr_schedule(0.0) == algorithm.pop("learning_rate")
    assert {name: getattr(model, name) for name in algorithm} == algorithm
    assert model.n_envs == PRESET.n_envs
    assert type(model.optimizer).__name__ == policy["optimizer_class"]
    assert model.optimizer.defaults["momentum"] == policy["optimizer_kwargs"]["momentum"]
    assert model.policy.inverse_temperature == policy["inverse_temperature"]
    assert model.policy.controller.hidden_size == policy["hidden_size"]
    curriculum, settings = model.curriculum, PRESET.curriculum
    assert curriculum is not None
    assert settings is not None
    assert (curriculum.level, curriculum.max_level) == (settings["level"], 15)
    assert curriculum.threshold == settings["threshold"]
    assert curriculum.refractory == settings["refractory"]
    assert curriculum.levels[1:].tolist() == [0.1, 0.25]  # Table 3
    assert model._advance is not None
    assert model._advance.error == settings["error"]


def test_its_numbers_are_those_of_sections_7_and_9() -> None:
    algorithm, policy, curriculum = PRESET.algorithm, PRESET.policy, PRESET.curriculum
    assert (PRESET.n_envs, algorithm["learning_rate"], algorithm["gamma"]) == (200, 0.05, 1.0)
    assert (policy["optimizer_class"], policy["optimizer_kwargs"]) == ("SGD", {"momentum": 0.9})
    assert (algorithm["max_grad_norm"], algorithm["max_grad_norm_baseline"]) == (5.0, 2.0)
    assert policy["inverse_temperature"] == 0.01
    assert policy["hidden_size"] == 25  # of the published code
    assert curriculum is not None
    assert (curriculum["threshold"], curriculum["refractory"]) == (0.2, 100)
    assert curriculum["error"] == "symbols"  # the zero-one loss, by the length of the target
    controller = RLNTM.paper("Tape-ForwardReverse-Hard-v0", n_envs=2).policy.controller
    assert (controller.mark, controller.log_gain.requires_grad) == (False, False)
    assert all(not part.any() for part in controller.initial_state(3)[:4])
    # Of 16,800 numbers: the standard error is 0.5 %.
    assert controller.weight_in.std().item() == pytest.approx(0.1, rel=0.05)


def test_windows_shortcuts_time_limits_and_levels_are_the_paper_s() -> None:
    model = RLNTM.paper("Tape-ForwardReverse-Hard-v0", n_envs=2, seed=0)
    interfaces, controller = model.policy.interfaces, model.policy.controller
    # Table 1: windows are read. Section 2: one cell is written. Section 8.1: two more are added to.
    assert (interfaces.input_cells, interfaces.read_window, interfaces.write_window) == (5, 5, 1)
    assert controller.spreads
    assert not controller.blend
    played = model.rollout().played
    assert played.limits.tolist() == [30, 30]
    repeat = RLNTM.paper("Tape-RepeatCopy-Hard-v0", n_envs=400, seed=0)
    assert repeat.curriculum is not None
    assert repeat.curriculum.max_level == 27  # three phrases of 9
    played = repeat.rollout().played
    assert set(played.limits.tolist()) == {44}
    phrases = (played.source < 30).sum(dim=1) - 1
    # Level 1 + e is a phrase of one symbol for e of 1 and 2, in three quarters of 65 % of episodes,
    # and in more of the others.
    share = float((phrases == 1).float().mean())
    assert 0.48 < share < 0.75


@pytest.mark.parametrize("env_id", SIZES)
def test_the_time_limit_lets_the_longest_input_be_read_and_written(env_id: str) -> None:
    size = SIZES[env_id]
    kwargs = {**FORCED, "min_length": size.max_length, **size._asdict()}
    env = make_vec_env(env_id, 50, seed=0, **kwargs)
    env.reset()
    view = env.env.unwrapped.view()  # type: ignore[attr-defined]  # ours
    cells, symbols = view.tapes[0].sizes.max(), view.output.target_sizes.max()
    assert size.max_steps >= max(cells, symbols)
    if "Reverse" in env_id:  # read to the last symbol, then emitted from there on
        assert size.max_steps == size.max_length - 1 + symbols
    if "RepeatCopy-" in env_id:  # the count, three passes, two ways back, the end mark
        assert size.max_steps == 1 + 1 + 3 * size.max_length + 2 * (size.max_length - 2) + 1


def test_overrides_are_added_to_the_paper_s() -> None:
    env = make_vec_env("Tape-Copy-Easy-v0", 3, **FORCED)
    model = RLNTM.paper(env, gamma=0.5, policy_kwargs={"controller": "lstm"})
    assert (model.gamma, model.n_envs, model.curriculum) == (0.5, 3, None)
    assert model.policy.controller.kind == "lstm"
    assert model.policy.inverse_temperature == PRESET.policy["inverse_temperature"]
    with pytest.raises(ValueError, match="tape family, but CartPole-v1 has no longest input"):
        RLNTM.paper("CartPole-v1")


def test_learning_advances_the_level_beside_the_user_s_callback(tmp_path: Path) -> None:
    class Count(BaseCallback):
        rollouts = 0

        def _on_rollout_end(self) -> None:
            self.rollouts += 1

        def _on_step(self) -> bool:
            return True

    model = RLNTM.paper("Tape-Copy-Easy-v0", n_envs=16, seed=0)
    curriculum, count = model.curriculum, Count()
    assert curriculum is not None
    # The paper's need more updates than a test has time for; here one right symbol is enough.
    curriculum.threshold, curriculum.refractory = 1.0, 10
    model.learn(1_500, callback=count)
    assert count.rollouts == model._n_updates >= 10
    assert curriculum.level == 1 + model._n_updates // 10
    model.save(tmp_path / "model")
    assert RLNTM.load(tmp_path / "model").curriculum is None
