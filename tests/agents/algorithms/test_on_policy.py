from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env
from torch import Tensor

from agents import MemoryA2C, MemoryPPO, NonFiniteError, Reinforce
from agents.algorithms.buffer import Batch, minibatches
from agents.algorithms.on_policy import MemoryOnPolicyAlgorithm
from agents.cells import CELLS
from agents.cells.state import index_state
from agents.evaluation.gradcheck.on_policy_by_hand import Rollout, hand_written_loss
from tests.agents.toy_envs import MaskedEnv, RandomEnv, sync

SYMBOLS = spaces.MultiDiscrete([3, 4])
BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
OBSERVATIONS: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(5),
    "multi_discrete": SYMBOLS,
    "box": BOX,
    "dict": spaces.Dict({"place": spaces.Discrete(4), "view": BOX}),
}
ACTIONS: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(3, start=2),
    "multi_discrete": spaces.MultiDiscrete([3, 2, 5]),
    "box": spaces.Box(-0.5, 0.5, (2,), np.float32),
}
STEPS = 12


def _model(
    algorithm: type[MemoryOnPolicyAlgorithm] = MemoryPPO,
    memory: str = "lstm",
    observation_space: spaces.Space[Any] = SYMBOLS,
    action_space: spaces.Space[Any] = ACTIONS["multi_discrete"],
    masked: bool = False,
    seed: int | None = 0,
    n_envs: int = 3,
    max_steps: int = 9,
    **kwargs: Any,
) -> Any:
    env_class = MaskedEnv if masked else RandomEnv
    env = sync(lambda: env_class(observation_space, action_space, max_steps=max_steps), n_envs)
    sizes = {} if memory in ("none", "framestack", "memory-net") else {"hidden_size": 8}
    kwargs = {"gamma": 0.9, **kwargs}
    if algorithm is not Reinforce:
        kwargs = {"n_steps": STEPS, **kwargs}
    if algorithm is MemoryPPO:
        kwargs = {"batch_size": STEPS, "n_epochs": 2, **kwargs}
    return algorithm(
        "MemoryPolicy",
        env,
        policy_kwargs={"memory": memory, "memory_kwargs": sizes, "encoder_size": 8},
        seed=seed,
        device="cpu",
        **kwargs,
    )


def _collect(model: Any, rollouts: int = 1, callback: BaseCallback | None = None) -> None:
    """Collects rollouts without training, so that the last one begins inside episodes."""
    _, ready = model._setup_learn(1, callback)
    for _ in range(rollouts):
        model.collect_rollouts(model.env, ready)


def _bits(model: Any) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


# Before the first gradient step the probability ratio is one


@pytest.mark.parametrize("memory", CELLS)
@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
@pytest.mark.parametrize("bptt", [None, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_ratio_one(algorithm: Any, memory: str, bptt: int | None, masked: bool) -> None:
    model = _model(algorithm, memory, bptt=bptt, masked=masked)
    _collect(model, rollouts=2)
    data = model.rollout_buffer.data
    assert data.episode_starts[1:].any()
    batch = model.rollout_buffer.chunks()
    assert (batch.masks is not None) == masked
    now = model.evaluate_batch(batch)
    torch.testing.assert_close(now.log_probs, batch.old_log_probs, atol=1e-5, rtol=0)
    torch.testing.assert_close(now.values, batch.old_values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("observations", OBSERVATIONS)
@pytest.mark.parametrize("actions", ACTIONS)
def test_ratio_one_and_learning_on_every_space(observations: str, actions: str) -> None:
    model = _model(observation_space=OBSERVATIONS[observations], action_space=ACTIONS[actions])
    _collect(model, rollouts=2)
    batch = model.rollout_buffer.chunks()
    now = model.evaluate_batch(batch)
    torch.testing.assert_close(now.log_probs, batch.old_log_probs, atol=1e-5, rtol=0)
    before = _bits(model)
    model.learn(2 * 3 * STEPS)
    assert not torch.equal(before, _bits(model))
    assert torch.isfinite(_bits(model)).all()


def test_masks_work_through_sb3s_own_vec_env() -> None:
    env = sb3_make_vec_env(lambda: MaskedEnv(SYMBOLS, spaces.Discrete(4)), n_envs=2)
    model = MemoryPPO("MemoryPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=0)
    model.learn(64)  # the environment fails if an action disobeys
    assert model.rollout_buffer.data.masks is not None


# What a row learns does not depend on the others


def _gradient(model: Any, batch: Batch) -> Tensor:
    now = model.evaluate_batch(batch)
    loss = (batch.advantages * now.log_probs + 0.1 * now.entropy + now.values.square()).mean()
    gradients = torch.autograd.grad(loss, list(model.policy.parameters()))
    return torch.cat([g.flatten() for g in gradients])


def _columns(batch: Batch, columns: list[int]) -> Batch:
    picked = torch.tensor(columns)
    fields = [None if field is None else field[:, picked] for field in batch[:-1]]  # type: ignore[index]
    return Batch._make([*fields, index_state(batch.state, picked)])


@pytest.mark.parametrize("memory", CELLS)
def test_gradients_do_not_depend_on_column_order_or_batch_size(memory: str) -> None:
    model = _model(memory=memory, masked=True, n_envs=4, batch_size=2 * STEPS)
    _collect(model, rollouts=2)
    batch = model.rollout_buffer.chunks()
    whole = _gradient(model, batch)
    torch.testing.assert_close(
        _gradient(model, _columns(batch, [2, 0, 3, 1])), whole, atol=1e-6, rtol=1e-4
    )
    halves = [_gradient(model, part) for part in minibatches(batch, 2 * STEPS, model.generator)]
    assert len(halves) == 2
    torch.testing.assert_close((halves[0] + halves[1]) / 2, whole, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("memory", CELLS)
def test_a_row_does_not_see_what_other_rows_do(memory: str) -> None:
    model = _model(memory=memory, observation_space=BOX)
    _collect(model, rollouts=2)
    batch = model.rollout_buffer.chunks()
    before = model.evaluate_batch(batch)
    batch.observations[:, 1:] = torch.randn_like(batch.observations[:, 1:])
    batch.episode_starts[:, 1:] ^= True
    after = model.evaluate_batch(batch)
    torch.testing.assert_close(after.values[:, 0], before.values[:, 0])
    torch.testing.assert_close(after.log_probs[:, 0], before.log_probs[:, 0])
    assert not torch.allclose(after.values[:, 1:], before.values[:, 1:])


# A whole training step against one that is written by hand


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (MemoryA2C, {}),
        (MemoryA2C, {"normalize_advantage": True, "ent_coef": 0.1, "gae_lambda": 0.7}),
        (MemoryA2C, {"bptt": 4, "vf_coef": 0.3}),
        (MemoryPPO, {}),
        (MemoryPPO, {"normalize_advantage": False, "ent_coef": 0.1, "clip_range_vf": 0.1}),
        (MemoryPPO, {"bptt": 3, "vf_coef": 0.3, "gae_lambda": 0.7}),
        (Reinforce, {"baseline": "none", "ent_coef": 0.1}),
        (Reinforce, {"baseline": "time"}),
        (Reinforce, {"baseline": "value", "bptt": 3, "vf_coef": 0.3, "ent_coef": 0.1}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@pytest.mark.parametrize("memory", ["none", "gru", "ntm"])
@pytest.mark.parametrize("masked", [False, True])
def test_one_update_descends_on_the_hand_written_loss(
    algorithm: Any, settings: dict[str, Any], memory: str, masked: bool
) -> None:
    if algorithm is MemoryPPO:
        settings = {"n_epochs": 1, "batch_size": 3 * STEPS, **settings}
    settings = {"learning_rate": 0.25, "max_grad_norm": 1e9, **settings}
    models = [_model(algorithm, memory, masked=masked, **settings) for _ in range(2)]
    model, twin = models
    model.policy_kwargs.update(optimizer_class=torch.optim.SGD)
    model.policy.double()
    twin.set_random_seed(0)  # its environments begin as the other's did
    if settings.get("baseline") == "time":
        model.policy.time_baseline.means.copy_(torch.linspace(-1.0, 1.0, 10_000))
    model.rollout()
    actions = iter(model.rollout_buffer.data.actions)
    bootstraps = 0.0 if algorithm is Reinforce else model.gamma
    before = copy.deepcopy(model.policy)
    if settings.get("normalize_value", algorithm is MemoryPPO):  # REINFORCE does so in the rollout
        before.critic.track(model.rollout_buffer.returns)
    rollout = Rollout(before, before, twin.env, lambda *_: next(actions), bootstraps)
    for t in range(model.rollout_buffer.size):
        if model.bptt and t % model.bptt == 0:
            rollout.cut_gradients()
        rollout.step()
    assert torch.stack(rollout.dones)[:-1].any()
    parameters = list(before.parameters())
    expected = torch.autograd.grad(
        hand_written_loss(model, rollout), parameters, allow_unused=True, materialize_grads=True
    )
    model.train()
    pairs = zip(parameters, model.policy.parameters(), strict=True)
    moved = [(old - new).detach() / 0.25 for old, new in pairs]
    torch.testing.assert_close(moved, list(expected), rtol=1e-9, atol=1e-11)
    assert torch.cat([gradient.flatten() for gradient in expected]).norm() > 0.01


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_losses_change_nothing_and_repeat(algorithm: Any) -> None:
    model = _model(algorithm, ent_coef=0.1, vf_coef=0.3)
    batch = model.rollout()
    before, drawn = _bits(model), model.generator.get_state()
    first, second = model.losses(batch), model.losses(batch)
    assert first.keys() == {"policy", "value", "entropy"}
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)
    total = first["policy"] + 0.3 * first["value"] + 0.1 * first["entropy"]
    torch.testing.assert_close(model.total_loss(first), total)
    assert torch.equal(_bits(model), before)
    assert torch.equal(model.generator.get_state(), drawn)
    assert all(parameter.grad is None for parameter in model.policy.parameters())


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_actions_are_those_that_the_sampler_chooses(algorithm: Any) -> None:
    model = _model(algorithm)
    model.sampler = lambda distribution: torch.ones_like(distribution.mode())
    drawn = model.generator.get_state()
    model.rollout()
    assert (model.rollout_buffer.data.actions == 1).all()
    assert torch.equal(model.generator.get_state(), drawn)


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_the_networks_are_in_training_mode_when_they_learn_alone(algorithm: Any) -> None:
    """As dropout or the like in an encoder of one's own needs it."""
    model, modes = _model(algorithm), []
    model.policy.network.encoder.register_forward_hook(
        lambda encoder, *_: modes.append(encoder.training)
    )
    for mode, use in (
        (False, model.rollout),
        (True, model.train),
        (False, lambda: model.predict(np.zeros((3, 2), np.int64))),
        (True, model.train),
        (False, model.rollout),
    ):
        modes.clear()
        use()
        assert set(modes) == {mode}


# The memory across steps, episodes and rollouts


def test_the_memory_goes_on_from_rollout_to_rollout_and_starts_anew_with_an_episode() -> None:
    model = _model(MemoryA2C, bptt=4)
    _collect(model, rollouts=3)
    data = model.rollout_buffer.data
    batch = model.rollout_buffer.chunks()
    # What `predict` finds when it replays the rollout from an episode's start:
    for row in range(3):
        first = int(data.episode_starts[:, row].nonzero()[0])
        state: Any = None
        for t in range(first, STEPS):
            obs = data.observations[t, row : row + 1]
            start = data.episode_starts[t, row : row + 1]
            if t % 4 == 0 and t > first and not start:
                kept = index_state(batch.state, torch.tensor([3 * (t // 4) + row]))
                torch.testing.assert_close(tuple(kept), tuple(state), atol=1e-5, rtol=1e-5)
            _, state = model.policy.predict(obs.numpy(), state, start.numpy())


def test_a_new_learn_starts_with_fresh_memory() -> None:
    model = _model()
    model.learn(3 * STEPS)
    model.env.seed(0)
    _collect(model)
    first = model.rollout_buffer.data.values[0]
    obs = model.rollout_buffer.data.observations[0]
    starts = torch.ones(3, dtype=torch.bool)
    fresh = model.policy.predict_values(obs, model.policy.initial_state(3), starts)
    torch.testing.assert_close(first, fresh)


def test_time_limits_are_bootstrapped_with_the_memory_after_the_step() -> None:
    seen: list[Any] = []

    class Spy(BaseCallback):
        def _on_step(self) -> bool:
            state = index_state(self.model._memory_state, slice(None))  # type: ignore[attr-defined]
            seen.append((self.locals["rewards"].copy(), self.locals["infos"], state))
            return True

    model = _model(max_steps=4)
    _collect(model, callback=Spy())
    cut_off = 0
    for t, (rewards, infos, state) in enumerate(seen):
        expected = rewards.copy()
        for row, info in enumerate(infos):
            if info.get("TimeLimit.truncated"):
                cut_off += 1
                obs = torch.as_tensor(info["terminal_observation"])[None]
                after = index_state(state, torch.tensor([row]))
                value = model.policy.predict_values(obs, after, torch.tensor([False]))
                expected[row] += 0.9 * float(value)
        stored = model.rollout_buffer.data.rewards[t]
        np.testing.assert_allclose(stored.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert cut_off > 0


def test_terminations_are_not_bootstrapped() -> None:
    env = sync(lambda: RandomEnv(SYMBOLS, spaces.Discrete(2), end=1.0), 2)
    model = MemoryPPO("MemoryPolicy", env, n_steps=4, batch_size=4, gamma=0.9, seed=0)
    _collect(model)
    data = model.rollout_buffer.data
    assert data.episode_starts.all()
    torch.testing.assert_close(model.rollout_buffer.returns, data.rewards)


# Randomness


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_the_same_seed_gives_the_same_bits(algorithm: Any) -> None:
    bits = []
    for seed in (0, 0, 1):
        torch.rand(7)  # whatever was drawn before
        model = _model(algorithm, seed=seed)
        model.learn(3 * STEPS * 3)
        bits.append(torch.cat([_bits(model), model.rollout_buffer.data.log_probs.flatten()]))
    assert torch.equal(bits[0], bits[1])
    assert bits[0].shape != bits[2].shape or not torch.equal(bits[0], bits[2])


def test_predictions_leave_the_training_as_it_would_have_been() -> None:
    class Predict(BaseCallback):
        def _on_step(self) -> bool:
            self.model.predict(self.locals["new_obs"])
            return True

    quiet, busy = _model(), _model()
    quiet.learn(100)
    busy.learn(100, callback=Predict())
    assert torch.equal(_bits(quiet), _bits(busy))


# Failing


@pytest.mark.parametrize("algorithm", [MemoryPPO, MemoryA2C, Reinforce])
def test_a_loss_that_is_not_finite_stops_training(algorithm: Any, tmp_path: Any) -> None:
    class Poison(BaseCallback):
        def _on_step(self) -> bool:
            if self.num_timesteps > 60:
                self.locals["rewards"][:] = np.nan  # of every row: any minibatch may be the first
            return True

        def _on_rollout_start(self) -> None:
            self.bits = _bits(self.model)

    model = _model(algorithm)
    path = tmp_path / "good.zip"
    model.save(path)
    poison = Poison()
    with pytest.raises(NonFiniteError, match=r"update \d+ after \d+ steps.*good\.zip"):
        model.learn(10_000, callback=poison)
    assert torch.equal(_bits(model), poison.bits)
    assert torch.isfinite(_bits(model)).all()
    assert path.exists()


def test_an_observation_that_is_not_a_number_stops_before_the_environment_acts() -> None:
    class Broken(MaskedEnv):
        def _observe(self) -> Any:
            observation = super()._observe()
            return observation * np.nan if self.steps == 3 else observation

    env = sync(lambda: Broken(BOX, spaces.Discrete(3), end=0.0), 2)
    model = MemoryPPO("MemoryPolicy", env, n_steps=STEPS, batch_size=STEPS, seed=0)
    with pytest.raises(NonFiniteError, match=r"update 1, step 6: .* row 0 is not finite"):
        model.learn(3 * STEPS)


def test_an_infinite_gradient_of_a_finite_loss_stops_training_too() -> None:
    model = _model(normalize_value=False)  # or the critic's last layer changes its unit
    model.learn(3 * STEPS)
    parameter = next(model.policy.actor.parameters())
    parameter.register_hook(lambda g: g * torch.inf)
    before = _bits(model)
    with pytest.raises(NonFiniteError, match="last checkpoint is none"):
        model.learn(3 * STEPS)
    assert torch.equal(before, _bits(model))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_steps": 0}, "n_steps is 0; allowed: integers from 1 on"),
        ({"bptt": 5}, "bptt is 5; allowed: None or a divisor of n_steps=12"),
        ({"batch_size": 13}, "batch_size is 13; allowed: None, multiples of bptt=12"),
        ({"n_epochs": 0}, "n_epochs is 0"),
    ],
)
def test_bad_arguments_are_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _model(**kwargs)


def test_a_policy_of_another_kind_is_refused() -> None:
    from stable_baselines3.common.policies import ActorCriticPolicy

    env = sync(lambda: RandomEnv(SYMBOLS, spaces.Discrete(2)), 1)
    with pytest.raises(ValueError, match="policy is 'MlpPolicy'; allowed: MemoryPolicy"):
        MemoryPPO("MlpPolicy", env)
    with pytest.raises(TypeError, match="allowed: MemoryPolicy"):
        MemoryA2C(ActorCriticPolicy, env)  # type: ignore[arg-type]  # what is tested


# SB3's loop around it


def test_a_callback_can_stop_a_rollout_and_training_can_go_on() -> None:
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            return self.n_calls < 5

    model = _model()
    model.learn(10_000, callback=Stop())
    assert model.num_timesteps == 5 * 3
    last = model._last_obs.copy()
    model.learn(3 * STEPS, reset_num_timesteps=False)
    np.testing.assert_array_equal(model.rollout_buffer.data.observations[0], last)


def test_episode_statistics_are_those_of_finished_rows() -> None:
    ended: list[Any] = []

    class Spy(BaseCallback):
        def _on_step(self) -> bool:
            dones, infos = self.locals["dones"], self.locals["infos"]
            ended.extend(info for info, done in zip(infos, dones, strict=True) if done)
            return True

    model = _model()
    model.learn(3 * STEPS, callback=Spy())
    assert [info["episode"] for info in ended] == list(model.ep_info_buffer)
    assert [info["is_success"] for info in ended] == list(model.ep_success_buffer)
    assert len(ended) > 3
