"""`RLNTM.paper`: the paper's settings, and a curriculum that advances by itself."""

from pathlib import Path
from typing import Any

import pytest
from stable_baselines3.common.callbacks import BaseCallback

from agents import RLNTM, make_vec_env
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
    assert (curriculum.level, curriculum.max_level) == (settings["level"], 30)
    assert curriculum.threshold == settings["threshold"]
    assert curriculum.refractory == settings["refractory"]
    assert curriculum.levels[1:].tolist() == [0.1, 0.25]  # Table 3
    assert model._advance is not None
    assert model._advance.error == settings["error"]


def test_a_task_of_its_own_length_leads_up_to_it() -> None:
    curriculum = RLNTM.paper("Tape-ForwardReverse-Hard-v0", n_envs=2).curriculum
    assert curriculum is not None
    assert curriculum.max_level == 15


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
