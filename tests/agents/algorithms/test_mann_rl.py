"""MANN-RL: its networks, what the memory learns from, the dance, and what it refuses."""

import copy
import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

import agents
from agents import MannRL, MannRLPolicy, NonFiniteError, make_vec_env
from agents.algorithms.curriculum import CurriculumCallback
from agents.algorithms.mann_rl.columns import lay_out
from agents.algorithms.mann_rl.replay import Replay, Step
from agents.cli.main import main
from memory_envs import Curriculum, StreamTask, draw
from memory_envs.stream import StreamBatch

LOGIC = "Stream-Logic-v0"


def _model(n_envs: int = 128, env_id: str = LOGIC, **kwargs: Any) -> MannRL:
    return MannRL("MannRLPolicy", make_vec_env(env_id, n_envs), seed=1, **kwargs)


def _batch(sizes: list[int]) -> StreamBatch:
    """Streams whose inputs tell row and step: 100 times the row, plus the step."""
    steps, rows = max(sizes), len(sizes)
    numbers = np.arange(steps)[:, None] + 100 * np.arange(rows)
    alive = np.arange(steps)[:, None] < np.array(sizes)
    return StreamBatch(numbers, numbers + 1, alive, np.array(sizes), np.ones(rows, np.int64))


def test_streams_are_laid_out_whole_one_after_the_other() -> None:
    columns = lay_out(_batch([3, 2, 4, 1, 5]), 2)
    # Row 2 goes below row 1, the shorter one; row 3 below row 0, row 4 below that.
    assert columns.inputs[:, 0].tolist() == [0, 1, 2, 300, 400, 401]
    assert columns.inputs[:, 1].tolist() == [100, 101, 200, 201, 202, 203]
    assert columns.starts[:, 0].tolist() == [True, False, False, True, True, False]
    # The last stream of the first column is cut off: it has no end here.
    assert columns.ends[:, 0].tolist() == [False, False, True, True, False, False]
    assert columns.ends[:, 1].tolist() == [False, True, False, False, False, True]
    assert (columns.targets == columns.inputs + 1).all()
    assert columns.due.all()


def _step(number: int, starts: list[bool]) -> Step:
    part = torch.full((len(starts), 1), float(number))
    return Step(part, part, part, part[:, 0], torch.tensor(starts))


def test_pairs_are_neighbours_of_one_stream() -> None:
    replay = Replay(4)
    for number in range(6):  # the first two are forgotten
        replay.add(_step(number, [number == 4, False]))
    pairs = replay.sample(3, torch.Generator().manual_seed(0))
    found = sorted(zip(pairs.now.losses.tolist(), pairs.following.losses.tolist(), strict=True))
    # Of the first column the pair (3, 4) is none: another stream began.
    assert found == [(2.0, 3.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0), (4.0, 5.0)]
    assert len(replay.sample(1, torch.Generator().manual_seed(0)).now.losses) in (1, 2)


def test_the_memory_is_the_equation_by_hand() -> None:
    model = _model()
    policy = model.policy.double()
    policy.set_training_mode(False)
    generator = torch.Generator().manual_seed(0)
    norm = policy.memory_net.norm
    mean, variance = torch.rand(2, 48, dtype=torch.float64, generator=generator)
    norm.running_mean, norm.running_var = mean, variance + 0.5
    memory = torch.rand(3, 48, dtype=torch.float64, generator=generator)
    inputs = F.one_hot(torch.tensor([4, 0, 7]), 11).double()
    logits, after = policy.step(inputs, memory)
    linear = policy.memory_net.linear
    for row in range(3):
        seen = torch.cat([inputs[row], logits[row].softmax(0), memory[row]])
        flat = linear.weight @ seen + linear.bias
        flat = (flat - mean) / (variance + 0.5 + norm.eps).sqrt()
        torch.testing.assert_close(after[row], torch.sigmoid(flat * norm.weight + norm.bias))
    assert ((after > 0.0) & (after < 1.0)).all()


@pytest.mark.parametrize("next_loss", [False, True])
def test_the_memory_loss_is_that_of_the_paper(next_loss: bool) -> None:
    model = _model(memory_clamp=0.7, gamma=0.9, next_loss=next_loss)
    net = model.policy.memory_net
    torch.manual_seed(0)
    now, following = (
        Step(torch.rand(5, 48), torch.rand(5, 11), torch.rand(5, 11), torch.rand(5) * 2, None)  # type: ignore[arg-type]
        for _ in range(2)
    )
    net.train()
    loss = model.memory_loss(agents.algorithms.mann_rl.replay.Pairs(now, following))
    with torch.no_grad():
        actual = net(now.memory, now.inputs, now.outputs)
        later = net(following.memory, following.inputs, following.outputs)
    losses = following.losses if next_loss else now.losses
    expected = 0.9 * later - losses.clamp(0.0, 0.7)[:, None]
    difference = (actual - expected).abs()
    by_hand = torch.where(difference < 1.0, 0.5 * difference**2, difference - 0.5).mean()
    torch.testing.assert_close(loss.detach(), by_hand)
    # The later memory is held fixed: what it saw has no gradient.
    following.memory.requires_grad_()
    now.memory.requires_grad_()
    model.memory_loss(agents.algorithms.mann_rl.replay.Pairs(now, following)).backward()  # type: ignore[no-untyped-call]
    assert following.memory.grad is None
    assert now.memory.grad is not None


def _trained(model: MannRL) -> dict[str, torch.Tensor]:
    model.rollout()
    model.train()
    assert model._n_updates > 2 * 40
    return {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}


def test_each_network_learns_from_its_own_loss_alone() -> None:
    before = {name: tensor.clone() for name, tensor in _model().policy.state_dict().items()}
    fixed = _trained(_model(256, memory_iterations=0))
    learning = _trained(_model(256, memory_iterations=2))
    for name, tensor in before.items():
        part = name.partition(".")[0]
        if part == "memory_net":
            assert torch.equal(fixed[name], tensor), name
            moved = not torch.equal(learning[name], tensor)
            assert moved or name.endswith(("norm.weight", "linear.bias")), name
        elif "weight" in name:
            assert not torch.equal(fixed[name], tensor), name


def test_a_stream_starts_without_a_memory_and_the_memory_net_acts_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _model(n_envs=64, settle=3, history=5, memory_samples=4)
    seen: list[Step] = []
    add = Replay.add

    def watch(replay: Replay, step: Step) -> None:
        # In training, batch norm would make a row's memory depend on the rows beside it.
        assert not model.policy.memory_net.training
        seen.append(step)
        add(replay, step)

    monkeypatch.setattr(Replay, "add", watch)
    batch = model.rollout()
    model.train()
    assert len(seen) == len(batch.starts)
    assert batch.starts[1:].any()
    for step, starts in zip(seen, batch.starts, strict=True):
        begun = torch.as_tensor(starts)
        assert not step.memory[begun].any()
        assert (step.memory[~begun] > 0.0).all()


def test_the_memory_is_trained_once_after_settling_and_buffering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = _model(n_envs=64, settle=3, history=5, memory_samples=4, memory_iterations=3)
    times = []

    def train_memory(model: MannRL) -> torch.Tensor:
        times.append(model)
        return torch.zeros(())

    monkeypatch.setattr(MannRL, "_train_memory", train_memory)
    steps = len(model.rollout().targets)
    model.train()
    assert len(times) == 3 * (steps // 8)


@pytest.mark.parametrize("pairs", [0, 1])
def test_nothing_is_learned_from_less_than_two_pairs(pairs: int) -> None:
    """Batch norm knows no single one, and a mean of none is not finite."""
    model = _model(columns=2, history=2, memory_samples=1)
    memory, choices = torch.rand(2, 48), torch.rand(2, 11)
    starts = torch.tensor([True, pairs == 0])
    for _ in range(2):
        model._replay.add(Step(memory, choices, choices, torch.rand(2), starts))
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    assert model._train_memory() == 0.0
    for name, tensor in model.policy.state_dict().items():
        assert torch.equal(tensor, before[name]), name


class _Doubled(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.encoder(inputs).double()  # type: ignore[no-any-return]


def _descend(loss: torch.Tensor, by: torch.optim.Optimizer, largest: float) -> float:
    by.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(by.param_groups[0]["params"], largest)
    by.step()
    return loss.item()


def test_the_dance_by_hand() -> None:
    """All pairs of the history are drawn, so that it does not matter in which order."""
    settings: dict[str, Any] = {"settle": 3, "history": 5, "memory_samples": 4}
    settings |= {"learning_rate": 0.01, "memory_learning_rate": 0.02, "memory_iterations": 2}
    settings |= {"memory_clamp": 2.0, "gamma": 0.8}
    settings |= {"max_grad_norm": 0.05, "memory_max_grad_norm": 0.01}
    model = _model(n_envs=64, **settings)
    policy = model.policy.double()
    policy.encoder = _Doubled(policy.encoder)
    batch = model.rollout()
    action, net = copy.deepcopy(policy.action), copy.deepcopy(policy.memory_net)
    by_action = torch.optim.Adam(action.parameters(), lr=0.01)
    by_memory = torch.optim.Adam(net.parameters(), lr=0.02, betas=(0.0, 0.99))
    model.train()
    action.train()
    net.eval()
    memory, kept = torch.zeros(16, 48, dtype=torch.float64), []
    answer_losses, memory_losses, right = [], [], []
    for t, (targets, starts) in enumerate(zip(batch.targets, batch.starts, strict=True), start=1):
        inputs = F.one_hot(torch.as_tensor(batch.inputs[t - 1]).long(), 11).double()
        wanted, begun = torch.as_tensor(targets), torch.as_tensor(starts)
        memory = torch.where(begun[:, None], 0.0, memory)
        logits = action(inputs, memory)
        losses = F.cross_entropy(logits, wanted, reduction="none")
        answer_losses.append(_descend(losses.mean(), by_action, 0.05))
        right.append((logits.argmax(dim=1) == wanted).double().mean().item())
        outputs = logits.detach().softmax(dim=1)
        kept.append((memory, inputs, outputs, losses.detach(), begun))
        if t % 8 == 0:
            now, later = (
                [torch.cat(parts) for parts in zip(*steps, strict=True)]
                for steps in (kept[-5:-1], kept[-4:])
            )
            same = ~later[4]
            for _ in range(2):
                net.train()
                with torch.no_grad():
                    following = net(*(part[same] for part in later[:3]))
                expected = 0.8 * following - now[3][same].clamp(0.0, 2.0)[:, None]
                loss = F.smooth_l1_loss(net(*(part[same] for part in now[:3])), expected)
                memory_losses.append(_descend(loss, by_memory, 0.01))
                net.eval()
        with torch.no_grad():
            memory = net(memory, inputs, outputs)
    assert len(memory_losses) > 5
    shown = model.logger.name_to_value
    assert shown["train/answer_loss"] == pytest.approx(np.mean(answer_losses), rel=1e-5)
    assert shown["train/memory_loss"] == pytest.approx(np.mean(memory_losses), rel=1e-5)
    assert shown["train/wrong_answers"] == pytest.approx(1.0 - np.mean(right))
    for part, by_hand in ((policy.action, action), (policy.memory_net, net)):
        for name, tensor in by_hand.state_dict().items():
            # Rounding in single precision, as of a gradient's norm, grows in some fifty steps.
            torch.testing.assert_close(part.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_the_answers_teach_the_memory_net_nothing() -> None:
    model = _model()
    model.losses(model.rollout())["answer"].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in model.policy.memory_net.parameters())
    assert all(p.grad is not None for p in model.policy.action.parameters())


def test_every_token_of_the_columns_is_a_timestep() -> None:
    model = _model().learn(1)
    assert model.num_timesteps == model.rollout_batch().targets.size


def test_the_memory_net_s_gradient_has_a_largest_norm_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its optimizer divides by the gradient's size, so that few steps show what it was cut to."""
    clip, norms = torch.nn.utils.clip_grad_norm_, []

    def watch(parameters: Any, largest: float) -> torch.Tensor:
        norms.append(largest)
        return clip(parameters, largest)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watch)
    _model(max_grad_norm=0.5, memory_max_grad_norm=0.003).learn(1)
    assert set(norms) == {0.003}


def test_a_memory_net_without_outputs_does_not_see_them() -> None:
    net = _model(policy_kwargs={"memory_net": "input"}).policy.memory_net.eval()
    assert net.linear.in_features == 11 + 48
    memory, inputs, outputs = torch.rand(3, 48), torch.rand(3, 11), torch.rand(2, 3, 11)
    assert torch.equal(*(net(memory, inputs, each) for each in outputs))


def test_times_are_drawn_at_random_from_the_whole_history() -> None:
    replay, generator = Replay(6), torch.Generator().manual_seed(0)
    for number in range(6):
        replay.add(_step(number, [False]))
    drawn = [tuple(replay.sample(2, generator).now.losses.tolist()) for _ in range(200)]
    assert all(len(set(times)) == 2 for times in drawn)
    assert {time for times in drawn for time in times} == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert len({frozenset(times) for times in drawn}) == 10


def test_times_are_drawn_by_the_generator_that_is_passed_in() -> None:
    replay = Replay(6)
    for number in range(6):
        replay.add(_step(number, [False]))
    drawn = []
    for seed in range(5):
        torch.manual_seed(seed)
        pairs = replay.sample(3, torch.Generator().manual_seed(0))
        drawn.append(pairs.now.losses.tolist())
    assert all(times == drawn[0] for times in drawn)


def test_predictions_are_the_most_probable_or_drawn_and_heed_masks() -> None:
    model = _model()
    model.policy.set_training_mode(False)
    symbol, memory = torch.full((4000,), 4), torch.full((4000, 48), 0.3)
    inputs = F.one_hot(symbol, 11).float()
    with torch.no_grad():
        probabilities = model.policy.step(inputs, memory)[0].softmax(dim=1)[0]
    going_on = np.zeros(4000, np.bool_)
    obs = symbol.numpy()
    model.policy.set_training_mode(True)  # as it is left by a training; nobody plays so
    best, _ = model.predict(obs, memory, going_on, deterministic=True)
    assert set(best.tolist()) == {int(probabilities.argmax())}
    drawn, _ = model.predict(obs, memory, going_on)
    shares = np.bincount(drawn, minlength=11) / 4000
    # Five standard deviations of a share.
    np.testing.assert_allclose(shares, probabilities, atol=5 * 0.5 / 4000**0.5)
    masks = np.zeros((4000, 11), np.bool_)
    masks[:, 7] = True
    masked, _ = model.predict(obs, memory, going_on, deterministic=True, action_masks=masks)
    assert set(masked.tolist()) == {7}
    one, _ = model.predict(np.array(4), memory[:1], deterministic=True)
    assert one == best[0]


def test_a_trace_shows_the_probabilities_and_the_memory_after_the_step() -> None:
    model = _model()
    model.policy.set_training_mode(False)
    obs, starts = np.array([4, 9]), np.zeros(2, np.bool_)
    before = torch.rand(2, 48)
    _, after = model.predict(obs, before, starts)
    seen = model.policy.trace(obs, before, after)
    inputs = F.one_hot(torch.as_tensor(obs), 11).float()
    with torch.no_grad():
        logits, memory = model.policy.step(inputs, before)
        first, _ = model.policy.step(inputs, torch.zeros(2, 48))
    torch.testing.assert_close(seen["probabilities"][:, 0, :11], logits.softmax(dim=1))
    torch.testing.assert_close(seen["output"], memory)
    begun = model.policy.trace(obs, None, after)["probabilities"][:, 0, :11]
    torch.testing.assert_close(begun, first.softmax(dim=1))


def test_losses_and_predictions_carry_the_memory_of_one_stream_alone() -> None:
    model = _model()
    batch = model.rollout()
    model.policy.set_training_mode(False)
    loss = float(model.losses(batch)["answer"].detach())
    state, losses = None, []
    for inputs, targets, starts in zip(batch.inputs, batch.targets, batch.starts, strict=True):
        memory = model.policy.initial_state(16) if state is None else state.clone()
        memory[torch.as_tensor(starts)] = 0.0
        logits, _ = model.policy.step(F.one_hot(torch.as_tensor(inputs).long(), 11).float(), memory)
        losses.append(F.cross_entropy(logits, torch.as_tensor(targets)).item())
        _, state = model.predict(inputs, state, starts, deterministic=True)
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_it_learns_logic(tmp_path: Path) -> None:
    model = _model(n_envs=256, learning_rate=0.003, max_grad_norm=1.0)
    model.learn(40_000)
    assert model.logger.name_to_value["train/wrong_answers"] < 0.1
    model.save(tmp_path / "logic.zip")
    again = agents.load(tmp_path / "logic.zip", make_vec_env(LOGIC, 256))
    assert isinstance(again, MannRL)
    for name, tensor in model.policy.state_dict().items():
        assert torch.equal(tensor, again.policy.state_dict()[name])
    again.learn(1000)


def test_it_goes_on_to_the_bit(tmp_path: Path) -> None:
    whole, half, rest = (tmp_path / name for name in ("whole", "half", "rest"))
    dance = ["settle=2", "history=4", "memory_samples=2", "memory_learning_rate=0.01"]
    common = ["train", LOGIC, "--algo", "mann_rl", "--n-envs", "32"]
    common += ["--set", *(f"algorithm.{change}" for change in dance)]
    assert main([*common, "--timesteps", "1600", "--out", str(whole)]) == 0
    assert main([*common, "--timesteps", "800", "--out", str(half)]) == 0
    more = ["train", "--continue-from", str(half), "--timesteps", "1600", "--out", str(rest)]
    assert main(more) == 0
    there, here, then = (
        agents.load(folder / "model.zip").policy.state_dict() for folder in (whole, rest, half)
    )
    for name, tensor in there.items():
        assert torch.equal(tensor, here[name]), name
        assert not torch.equal(tensor, then[name]), name


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_envs": 8}, "env's number of rows is 8; allowed: integers from 16 on"),
        ({"columns": 1}, "columns is 1; allowed: integers from 2 on"),
        ({"memory_samples": 32}, "memory_samples is 32; allowed: integers from 1 to 31"),
        ({"memory_clamp": 0.0}, "memory_clamp is 0.0; allowed: finite numbers above 0"),
        ({"policy_kwargs": {"memory_net": "all"}}, "memory_net is 'all'; allowed: input_output"),
        ({"env_id": "Stream-Copy-v0"}, "streams in which an answer is due at every step"),
        (
            {"policy_kwargs": {"optimizer_class": torch.optim.SGD}},
            "optimizer_class is .*SGD.*; allowed with MannRL: nothing",
        ),
        (
            {"policy_kwargs": {"optimizer_kwargs": {"weight_decay": 0.1}}},
            "optimizer_kwargs is .*; allowed with MannRL: nothing",
        ),
    ],
)
def test_bad_arguments_are_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _model(**kwargs)


def test_other_environments_are_refused() -> None:
    with pytest.raises(TypeError, match="next_loss is 1; allowed: False, True"):
        _model(next_loss=1)
    with pytest.raises(TypeError, match="allowed: ids of the family stream"):
        MannRL("MannRLPolicy", "CartPole-v1")
    with pytest.raises(ValueError, match=r"action space is MultiDiscrete.*; allowed: Discrete"):
        MannRLPolicy(gym.spaces.Discrete(3), gym.spaces.MultiDiscrete([2, 2]))
    with pytest.raises(ValueError, match="allowed with inputs of 30 numbers and 26 answers"):
        MannRLPolicy(gym.spaces.Discrete(30), gym.spaces.Discrete(26), embedding_size=8)


def test_other_environments_are_refused_later_on() -> None:
    model = _model(n_envs=16, memory_iterations=0)
    single = [lambda: gym.make(LOGIC)] * 16
    with pytest.raises(TypeError, match="allowed: ids of the family stream"):
        model.set_env(DummyVecEnv(single))
    with pytest.raises(ValueError, match="streams in which an answer is due at every step"):
        model.set_env(make_vec_env("Stream-DictionaryInference-4x1-v0", 16))


def test_rollouts_that_are_too_short_for_the_memory_net_are_named() -> None:
    """They would leave it as it began, without a word."""
    with pytest.warns(UserWarning, match="16 environments fill 16 columns with . steps or so"):
        model = _model(n_envs=16)
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    model.learn(500)
    for name, tensor in model.policy.memory_net.state_dict().items():
        assert torch.equal(tensor, before[f"memory_net.{name}"])
    _model(n_envs=16, memory_iterations=0)


def test_what_is_not_finite_leaves_no_trace() -> None:
    model = _model(n_envs=256, learning_rate=1e30, max_grad_norm=math.inf)
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    with pytest.raises(NonFiniteError, match="answer_loss is nan"):
        model.learn(1)
    for name, tensor in model.policy.state_dict().items():
        assert torch.isfinite(tensor).all(), name
        assert name.startswith("memory_net") or torch.equal(tensor, before[name]), name


def test_losses_leave_no_trace() -> None:
    """Batch norm in training counts what it sees."""
    model = _model()
    batch = model.rollout()
    model.policy.set_training_mode(True)
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    first, second = (model.losses(batch)["answer"].detach() for _ in range(2))
    assert first == second
    for name, tensor in model.policy.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def _echo(row: Any, length: int, inputs: Any, targets: Any) -> int:
    for t in range(length):
        inputs[t] = targets[t] = draw(row, 2)
    return length


def test_a_curriculum_counts_the_episodes_that_were_learned_from() -> None:
    two = lambda: spaces.Discrete(2)  # noqa: E731
    task = StreamTask("Echo", _echo, lambda length: length, two, two, max_length=3)
    curriculum = Curriculum(3, decay=0.0)
    env = make_vec_env("Stream-Copy-v0", 256, task=task, curriculum=curriculum)
    settings: dict[str, Any] = {"learning_rate": 0.0, "memory_iterations": 0}
    model = MannRL("MannRLPolicy", env, seed=1, stats_window_size=999, **settings)
    model.learn(1, CurriculumCallback(curriculum))
    successes, episodes = model.ep_success_buffer, model.ep_info_buffer
    assert successes is not None
    assert episodes is not None
    assert any(0 < episode["r"] < episode["l"] for episode in episodes)  # right in parts
    assert list(successes) == [episode["r"] == episode["l"] for episode in episodes]
    assert 0.0 < np.mean(successes) < 1.0
    assert curriculum.running_error == pytest.approx(1.0 - np.mean(successes))
