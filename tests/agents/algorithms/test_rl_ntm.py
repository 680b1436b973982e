"""RL-NTM: tapes, controllers, objective, training, files."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import RLNTM, GymnasiumVecEnv, NonFiniteError, make_vec_env
from agents.algorithms.rl_ntm.backend import PLAIN, Backend
from agents.algorithms.rl_ntm.baseline import padded_lstm
from agents.algorithms.rl_ntm.controller import KINDS, Controller, Scores
from agents.algorithms.rl_ntm.fast import FAST
from agents.algorithms.rl_ntm.fast.packed_lstm import packed_lstm
from agents.algorithms.rl_ntm.fast.unroll import FastUnroll
from agents.algorithms.rl_ntm.interfaces import InterfaceError, Interfaces, find_interfaces
from agents.algorithms.rl_ntm.objective import (
    Played,
    desired_log_probs,
    rewards,
    rewards_to_go,
)
from agents.algorithms.rl_ntm.unroll import PlainUnroll, laid_out, places_of
from agents.cells.lstm import LSTM
from agents.cells.unroll import unroll_steps
from agents.evaluation.gradcheck.rl_ntm_by_hand import PlayedEpisodes, hand_written_loss
from memory_envs import evaluate

FORCED: dict[str, Any] = {"forced_emission": True, "on_error": "continue"}
WITH_TAPE, WITHOUT = "Tape-ForwardReverse-Easy-v0", "Tape-Reverse-Easy-v0"


def make(env_id: str = WITH_TAPE, n_envs: int = 8, seed: int = 0, **kwargs: Any) -> RLNTM:
    return RLNTM("RLNTMPolicy", env_id, n_envs=n_envs, seed=seed, **kwargs)


# Both unrolls


@pytest.mark.parametrize("kind", [*KINDS, "shortcuts only"])
@pytest.mark.parametrize("windows", [(0, 0), (1, 1), (5, 5), (5, 1), (1, 3)], ids=str)
@pytest.mark.parametrize("blend", [True, False], ids=["blended", "added"])
def test_the_fast_unroll_equals_the_plain_one(
    kind: str, windows: tuple[int, int], blend: bool
) -> None:
    running = [np.array(rows) for rows in ([0, 1, 2, 3], [0, 1, 3], [1, 3], [3]) for _ in range(2)]
    generator = torch.Generator().manual_seed(1)
    interfaces = Interfaces(4, 3, 3, 7 if windows[0] else 0, *windows, 0)
    name = "direct_access" if kind == "shortcuts only" else kind
    free = kind != "shortcuts only"
    controller = Controller(interfaces, name, 5, 0.5, free, blend=blend).double()
    symbols = torch.randint(0, 6, (8, 4, 3), generator=generator)
    choices = [torch.randint(0, n, (8, 4), generator=generator) for n in interfaces.move_sizes]
    moves = torch.stack(choices, dim=2)
    results = []
    for unroll in (PlainUnroll(controller, 4, 8), FastUnroll(controller, 4, 9)):
        for t, rows in enumerate(running):
            step = unroll.step(symbols[t, rows], rows)
            unroll.move(moves[t, rows])
        scores, seen = unroll.finish()
        torch.testing.assert_close(scores.symbols[-1, rows], step.symbols)
        assert (scores.symbols[2:, 2] == 0.0).all()
        weights = torch.Generator().manual_seed(2)
        loss = sum(
            (part * torch.randn(part.shape, generator=weights, dtype=part.dtype)).sum()
            for part in (scores.moves, scores.symbols.log_softmax(dim=2))
        )
        controller.zero_grad()
        loss.backward()  # type: ignore[union-attr]  # a tensor: there are two parts
        gradients = {
            name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
            for name, p in controller.named_parameters()
        }
        results.append((scores._asdict(), seen._asdict(), gradients))
    torch.testing.assert_close(results[0], results[1])
    largest = max(float(g.abs().max()) for g in results[0][2].values() if g.numel())
    assert largest > 0.1


def test_the_packed_lstm_equals_the_cell_over_padded_sequences() -> None:
    cell = LSTM(3, 4).double()
    rows = [np.array(each, np.int64) for each in ([0, 1, 2], [0, 2], [2], [])]
    places = torch.as_tensor(places_of(rows, 3))
    generator = torch.Generator().manual_seed(1)
    xs = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    starts = torch.zeros(4, 3, dtype=torch.bool)
    padded = unroll_steps(cell, laid_out(xs, places, (4, 3)), cell.initial_state(3), starts)[0]
    results = []
    expected = padded.flatten(0, 1)[places]
    for hidden in (packed_lstm(cell, xs, rows, 3), padded_lstm(cell, xs, rows, 3), expected):
        grads = torch.autograd.grad(hidden.square().sum(), [xs, *cell.parameters()])
        results.append((hidden, grads))
    torch.testing.assert_close(results[0], results[2])
    torch.testing.assert_close(results[1], results[2])


def test_what_is_played_is_what_is_predicted() -> None:
    model = make(n_envs=6)
    env = make_vec_env(WITH_TAPE, 6, seed=3, **FORCED)
    obs: Any = env.reset()
    unroll, state = FastUnroll(model.policy.controller, 6, 5), None
    for _ in range(5):
        masks = env.action_masks()
        actions, state = model.predict(obs, state, None, True, masks)
        scores = unroll.step(model.policy.symbols_seen(torch.as_tensor(obs)), np.arange(6))
        allowed = torch.as_tensor(model.policy.interfaces.move_masks(masks))
        moves = model.policy.moves(scores, allowed).mode()
        unroll.move(moves)
        expected = model.policy.to_env(moves, scores.symbols.argmax(dim=1))
        np.testing.assert_array_equal(actions, expected)
        obs = env.step(actions)[0]


def test_an_observation_that_is_not_in_the_space_is_refused() -> None:
    model = make(n_envs=6)
    obs = np.zeros(model.observation_space.shape or (), np.int64)
    obs[0] = 9
    with pytest.raises(ValueError, match=r"^observation\[0\] is 9; allowed: integers from 0 to 6$"):
        model.predict(obs)
    with pytest.raises(ValueError, match=r"^observation has shape \(9,\); allowed: \(.*\), or a"):
        model.predict(np.zeros(9, np.int64))


# Tapes


def test_the_memory_tape_is_circular_and_starts_with_a_mark() -> None:
    controller = make(policy_kwargs={"memory_size": 4}).policy.controller
    state = controller.initial_state(1)
    assert state.memory[0, 0].eq(1.0).all()
    assert state.memory[0, 1:].eq(0.0).all()
    left, stay, right = (torch.tensor([[0, move, 0]]) for move in range(3))
    heads = []
    for move in (left, left, stay, right, right, right):
        state = controller.moved(state, move)
        heads.append(int(state.head))
    assert heads == [3, 2, 2, 3, 0, 1]


def test_a_shortcut_copies_input_to_memory_and_memory_to_output() -> None:
    controller = make(policy_kwargs={"free_symbols": False}).policy.controller
    blank, end = controller.interfaces.symbols + 1, controller.interfaces.symbols
    with torch.no_grad():
        controller.weight_out.zero_()
        controller.bias_out.zero_()
        first = controller.choices  # the gates: input to output, memory to output, input to memory
        controller.bias_out[first : first + 3] = torch.tensor([-50.0, 50.0, 50.0])
        controller.bias_out[controller.scores - 1] = -50.0  # the end mark
    state = controller.initial_state(1)
    _, state = controller(torch.tensor([[2]]), state)
    scores, _ = controller(torch.tensor([[blank]]), state)
    assert int(scores.symbols.argmax()) == 2
    assert int(scores.symbols.argmin()) == end


@pytest.mark.parametrize("blend", [True, False], ids=["blended", "added"])
def test_a_shortcut_leads_from_the_memory_cell_to_those_beside_it(blend: bool) -> None:
    # Only the cell under the head is read or written; the shortcut goes further.
    kwargs = {"memory_size": 5, "memory_radius": 0, "write_radius": 0, "blend": blend}
    controller = make(policy_kwargs={**kwargs, "free_symbols": False}).policy.controller
    with torch.no_grad():
        controller.weight_out.zero_()
        controller.bias_out.zero_()
        gates = controller.bias_out[controller.choices : controller.choices + controller.gates]
        gates.copy_(torch.tensor([-50.0, -50.0, -50.0, 50.0, 0.0]))  # the last two: left, right
    state = controller.initial_state(1)
    state.memory.copy_(torch.arange(5.0).view(1, 5, 1) + 1.0)
    state.head.fill_(2)
    memory = controller(torch.tensor([[0]]), state)[1].memory[0, :, 0]
    left, right = (3.0, 3.5) if blend else (2.0 + 3.0, 4.0 + 1.5)
    torch.testing.assert_close(memory, torch.tensor([1.0, left, 3.0, right, 5.0]))


def test_the_environment_s_own_memory_tape_is_left_alone() -> None:
    model = make(n_envs=16)
    model.learn(100)
    assert model.env is not None
    state: Any = model.env.unwrapped.env.unwrapped.get_state()  # type: ignore[attr-defined]  # ours
    assert (state.memory == model.policy.interfaces.symbols + 1).all()


# Objective


def test_rewards_by_hand() -> None:
    emit = torch.tensor([[0], [1], [0], [1], [1]])
    played = Played(
        moves=torch.stack([emit, emit], dim=2),
        masks=torch.ones(5, 1, 4, dtype=torch.bool),
        running=torch.tensor([[True]] * 4 + [[False]]),
        source=torch.zeros(1, 2, dtype=torch.int64),
        target=torch.tensor([[1, 2, 3]]),
        target_size=torch.tensor([2]),
        limits=torch.tensor([5]),
    )
    symbols = torch.full((5, 1, 3), 0.0)
    symbols[1, 0, 1] = symbols[3, 0, 2] = np.log(2.0)  # 2 / 4, where the others have 1 / 4
    found = desired_log_probs(Scores(torch.zeros(5, 1, 4), symbols), played)
    half = float(np.log(0.5))
    torch.testing.assert_close(found[:, 0], torch.tensor([0.0, half, 0.0, half, 0.0]))
    paid = rewards(found, played, "prefix_prob")
    torch.testing.assert_close(paid[:, 0], torch.tensor([0.0, 0.5, 0.0, 0.25, 0.0]))
    togo = rewards_to_go(paid, 0.5, causality=True)
    torch.testing.assert_close(togo[:, 0], torch.tensor([0.28125, 0.5625, 0.125, 0.25, 0.0]))
    total = rewards_to_go(paid, 1.0, causality=False)
    torch.testing.assert_close(total[:, 0], torch.full((5,), 0.75))
    assert played.remaining()[:, 0].tolist() == [[2, 5], [2, 4], [1, 3], [1, 2], [0, 1]]


@pytest.mark.parametrize("backend", [FAST, PLAIN], ids=["fast", "plain"])
def test_moves_are_drawn_with_their_probabilities_and_never_against_a_mask(
    backend: Backend,
) -> None:
    policy = make(WITHOUT, policy_kwargs={"inverse_temperature": 0.5}).policy
    scores = Scores(torch.tensor([[2.0, 0.0, 0.0, 1.0, 3.0]]).expand(20_000, -1), torch.empty(0))
    masks = torch.ones(20_000, 5, dtype=torch.bool)
    masks[:10_000, 4] = False
    moves = backend.moves(policy, scores, masks).sample(torch.Generator().manual_seed(0))
    assert backend.moves(policy, scores, masks).mode()[[0, -1]].tolist() == [[0, 0], [0, 1]]
    expected = policy.moves(scores, masks).log_probs.exp()
    shares = torch.stack([(moves[10_000:, 0] == k).float().mean() for k in range(3)])
    torch.testing.assert_close(shares, expected[-1, 0, :3], atol=0.02, rtol=0.0)
    emits = (moves[10_000:, 1] == 1).float().mean()
    torch.testing.assert_close(emits, expected[-1, 1, 1], atol=0.02, rtol=0.0)
    assert (moves[:10_000, 1] == 0).all()


# Training


def test_only_first_episodes_count() -> None:
    model = make(n_envs=32, stats_window_size=1000)
    model.learn(1)
    played, scores, _ = model.rollout_batch()
    lengths = played.running.sum(dim=0)
    assert model.num_timesteps == int(lengths.sum())
    assert len(model.ep_info_buffer or ()) == 32
    assert sorted(info["l"] for info in model.ep_info_buffer or ()) == sorted(lengths.tolist())
    assert (played.emits.sum(dim=0) == played.target_size).all()  # forced emission
    assert len(scores.moves) == int(lengths.max())


def test_the_same_seed_gives_the_same_bits() -> None:
    models = [make(seed=seed).learn(2000) for seed in (1, 1, 2)]
    first, again, other = (m.policy.controller.weight_out for m in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


ALL_ON: dict[str, Any] = {
    "reward": "prefix_prob",
    "gamma": 0.9,
    "causality": True,
    "online_baseline": True,
    "offline_baseline": True,
    "normalize_advantage": True,
    "ent_coef": 0.1,
}


@pytest.mark.parametrize("env_id", [WITH_TAPE, WITHOUT])
@pytest.mark.parametrize("backend", [FAST, PLAIN], ids=["fast", "plain"])
@pytest.mark.parametrize(
    "switched",
    [
        {},
        {"reward": "log_prob"},
        {"gamma": 1.0},
        {"causality": False},
        {"online_baseline": False},
        {"offline_baseline": False},
        {"normalize_advantage": False},
        {"ent_coef": 0.0},
    ],
    ids=str,
)
def test_one_update_descends_on_the_hand_written_loss(
    switched: dict[str, Any], backend: Backend, env_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RLNTM, "cpu_backend", backend)
    env, again = (make_vec_env(env_id, 6, seed=0, **FORCED) for _ in range(2))
    kwargs = {"optimizer_class": torch.optim.SGD, "memory_radius": 1, "init_std": 0.3}
    settings = {**ALL_ON, **switched, "max_grad_norm": 1e9, "max_grad_norm_baseline": 1e9}
    model = RLNTM("RLNTMPolicy", env, 0.25, policy_kwargs=kwargs, seed=0, **settings)
    model.policy.double()
    model.policy.time_baseline.means.copy_(torch.linspace(-1.0, 1.0, 2000))
    played = model.rollout().played
    assert len(played.running.sum(dim=0).unique()) > 1  # episodes of several lengths
    again.seed(0)
    again.reset()  # `rollout` has reset twice
    moves = iter(played.moves)
    episodes = PlayedEpisodes(model.policy, again, lambda _logits, _masks: next(moves))
    while episodes.running.any():
        episodes.step()
    assert torch.equal(torch.stack(episodes.ran), played.running)
    parameters = list(model.policy.parameters())
    expected = torch.autograd.grad(
        hand_written_loss(model, episodes), parameters, allow_unused=True, materialize_grads=True
    )
    before = [parameter.detach().clone() for parameter in parameters]
    model.train()
    moved = [(old - new.detach()) / 0.25 for old, new in zip(before, parameters, strict=True)]
    torch.testing.assert_close(moved, list(expected), rtol=1e-9, atol=1e-11)
    assert sum(float(gradient.abs().sum()) > 0.0 for gradient in expected) >= 6


def test_losses_change_nothing_and_repeat() -> None:
    model = make(**ALL_ON)
    batch = model.rollout()
    state = {name: value.clone() for name, value in model.policy.state_dict().items()}
    drawn = model.generator.get_state()
    first, second = model.losses(batch), model.losses(batch)
    assert first.keys() == {"symbols", "moves", "baseline", "entropy"}
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)
    total = first["symbols"] + first["moves"] + first["baseline"] + 0.1 * first["entropy"]
    torch.testing.assert_close(model.total_loss(first), total)
    torch.testing.assert_close(dict(model.policy.state_dict()), state, rtol=0.0, atol=0.0)
    assert torch.equal(model.generator.get_state(), drawn)
    assert all(parameter.grad is None for parameter in model.policy.parameters())


def test_the_moves_are_those_that_the_sampler_chooses() -> None:
    model = make()
    model.sampler = lambda distribution: distribution.mode()
    first, second = model.rollout().played, model.rollout().played
    assert first.moves.shape == second.moves.shape or not first.running.equal(second.running)
    assert (model.policy.moves(model.rollout().scores, None).mode()[0] >= 0).all()
    drawn = model.generator.get_state()
    model.rollout()
    assert torch.equal(model.generator.get_state(), drawn)


def test_controller_and_baseline_are_clipped_apart() -> None:
    norms = []
    for limit in ("max_grad_norm", "max_grad_norm_baseline"):
        settings: dict[str, Any] = {limit: 1e-3, "learning_rate": 0.05}
        model = make(policy_kwargs={"optimizer_class": torch.optim.SGD}, **settings)
        before = [p.detach().clone() for p in model.policy.parameters()]
        model.learn(1)
        steps = zip(model.policy.parameters(), before, strict=True)
        moved = {id(p): float((p.detach() - old).norm()) for p, old in steps}
        parts = (model.policy.controller, model.policy.baseline)
        norms.append([max(moved[id(p)] for p in part.parameters()) for part in parts])
    assert norms[0][0] <= 0.05 * 1e-3 < norms[0][1]
    assert norms[1][1] <= 0.05 * 1e-3 < norms[1][0]


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    model = make()
    with torch.no_grad():
        model.policy.controller.log_gain.fill_(torch.inf)
    with pytest.raises(NonFiniteError, match=r"update 1 .* last checkpoint is none"):
        model.learn(1)


@pytest.mark.parametrize("reward", ["log_prob", "prefix_prob"])
def test_it_learns_to_copy(reward: str) -> None:
    kwargs = {"symbols": 3, "max_length": 2, **FORCED}
    env = make_vec_env("Tape-Copy-v0", 200, seed=0, **kwargs)
    model = RLNTM(
        "RLNTMPolicy",
        env,
        learning_rate=0.01,
        reward=reward,
        normalize_advantage=True,
        ent_coef=0.01,
        policy_kwargs={"controller": "lstm"},
        seed=0,
    )

    def success() -> float:
        result = evaluate(model, "Tape-Copy-v0", 200, env_kwargs=kwargs)
        return result.success or 0.0

    assert success() < 0.5
    model.learn(100_000)
    assert success() > 0.95


# Files


def test_a_loaded_model_plays_as_the_saved_one(tmp_path: Path) -> None:
    model = make(policy_kwargs={"memory_radius": 1, "controller": "lstm"}).learn(500)
    model.save(tmp_path / "model")
    loaded = RLNTM.load(tmp_path / "model")
    results = [evaluate(m, WITH_TAPE, 50, env_kwargs=FORCED, name="one") for m in (model, loaded)]
    assert results[0] == results[1]
    torch.testing.assert_close(
        dict(loaded.policy.state_dict()), dict(model.policy.state_dict()), rtol=0.0, atol=0.0
    )
    env = make_vec_env(WITH_TAPE, 8, seed=1, **FORCED)
    assert RLNTM.load(tmp_path / "model", env).learn(100).num_timesteps > 0


# Bad input


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (lambda: make_vec_env("CartPole-v1", 2), "plays the tape family"),
        (lambda: "CartPole-v1", "plays the tape family, but CartPole-v1 has no forced emission"),
        (lambda: make_vec_env("Algorithmic/Copy-v0", 2), "plays the tape family"),
        (lambda: make_vec_env("Maze-InvisibleGoal-9x9-v0", 2), "Tape-Copy-v0"),
        (lambda: make_vec_env(WITHOUT, 2, on_error="continue"), "forced_emission is False"),
        (lambda: make_vec_env(WITHOUT, 2, forced_emission=True), "on_error is 'terminate'"),
        (lambda: make_vec_env(WITH_TAPE, 2, memory_radius=1, **FORCED), "memory_radius is 1"),
        (lambda: gym.make(WITHOUT, **FORCED), "allowed: an id"),
    ],
)
def test_an_environment_that_does_not_fit(env: Any, message: str) -> None:
    with pytest.raises(InterfaceError, match=message):
        RLNTM("RLNTMPolicy", env())


def test_targets_that_a_wrapper_takes_away() -> None:
    class NoTarget(gym.vector.VectorWrapper[Any, Any, Any]):
        def reset(self, **kwargs: Any) -> Any:
            obs, infos = super().reset(**kwargs)
            return obs, {name: value for name, value in infos.items() if name != "target"}

    env = GymnasiumVecEnv(NoTarget(make_vec_env(WITHOUT, 2, **FORCED).env))
    with pytest.raises(InterfaceError, match="hold no target at a reset"):
        RLNTM("RLNTMPolicy", env).learn(1)


def test_an_episode_longer_than_the_baseline_per_time_step() -> None:
    env = make_vec_env("Tape-Copy-v0", 2, seed=0, min_length=1200, max_length=1200, **FORCED)
    model = RLNTM("RLNTMPolicy", env, policy_kwargs={"controller": "feedforward"}, seed=0).learn(1)
    assert len(model.rollout_batch().played.running) > len(model.policy.time_baseline.means)
    assert model.policy.time_baseline.updates[-1] == 1.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"policy_kwargs": {"memory_size": 2, "memory_radius": 1}}, "memory_size is 2"),
        ({"policy_kwargs": {"memory_radius": -1}}, "memory_radius -1"),
        ({"policy_kwargs": {"memory_size": 4, "write_radius": 2}}, "memory_size is 4 and write_r"),
        ({"policy_kwargs": {"controller": "gru"}}, "controller is 'gru'"),
        ({"policy_kwargs": {"controller": "lstm", "free_symbols": False}}, "free_symbols"),
        ({"reward": "success"}, "reward is 'success'"),
    ],
)
def test_an_argument_that_does_not_fit(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**kwargs)


def test_spaces_of_the_right_kind_but_of_no_tape() -> None:
    seen, actions = spaces.MultiDiscrete([4, 4]), spaces.MultiDiscrete([3, 2, 3])
    with pytest.raises(InterfaceError, match="plays the tape family"):
        find_interfaces(seen, actions, None, 30, 0, None)


@pytest.mark.parametrize(
    ("kwargs", "policy", "message"),
    [
        ({"gamma": 2.0}, {}, "gamma is 2.0; allowed: numbers from 0 to 1"),
        ({"max_grad_norm": -1.0}, {}, "max_grad_norm is -1.0; allowed: numbers above 0"),
        ({"max_grad_norm_baseline": 0.0}, {}, "max_grad_norm_baseline is 0.0"),
        (
            {},
            {"inverse_temperature": 0.0},
            "inverse_temperature is 0.0; allowed: finite numbers above 0",
        ),
        ({}, {"hidden_size": 0}, "hidden_size is 0; allowed: integers from 1 on"),
        ({}, {"init_std": -1.0}, "init_std is -1.0; allowed: finite numbers from 0 on"),
        ({}, {"gain": 0.0}, "gain is 0.0; allowed: None, finite numbers above 0"),
        ({}, {"memory_size": True}, "memory_size is True"),
    ],
)
def test_arguments_are_checked(kwargs: Any, policy: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(n_envs=2, policy_kwargs=policy, **kwargs)


def test_without_gain_and_mark_as_in_the_paper() -> None:
    model = make(n_envs=4, policy_kwargs={"gain": None, "mark": False})
    controller = model.policy.controller
    assert not controller.initial_state(2).memory.any()
    model.learn(50)
    assert model._n_updates > 0
    assert controller.log_gain.item() == 0.0


def test_a_gain_is_where_learning_starts() -> None:
    controller = make(n_envs=2, policy_kwargs={"gain": 8.0, "init_std": 0.0}).policy.controller
    assert controller.log_gain.exp().item() == pytest.approx(8.0)


def test_a_trained_agent_gets_a_longer_tape() -> None:
    kwargs = {"memory_size": 5, "memory_radius": 1, "write_radius": 0}
    policy = make(n_envs=2, policy_kwargs=kwargs).policy
    policy.resize_memory(40)
    assert policy.controller.initial_state(3).memory.shape[1] == 40
    with pytest.raises(InterfaceError, match="cells is 2; allowed: from 3 on"):
        policy.resize_memory(2)
