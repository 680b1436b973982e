"""Supervised learning of streams: its loss by hand, what it counts, and what it refuses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize

import agents
from agents import MemoryPPO, Supervised, make_vec_env
from agents.algorithms.curriculum import CurriculumCallback
from agents.cli.main import main
from agents.evaluation.trace import run_trace
from agents.training.run_directory import RunDirectory
from memory_envs import Curriculum, draw, evaluate
from memory_envs.stream import StreamVectorEnv

COPY = "Stream-Copy-v0"
SMALL: dict[str, Any] = {"max_length": 3, "bits": 3}
DICTIONARY = "Stream-DictionaryInference-4x1-v0"


def _model(env_id: str = COPY, memory: str = "lstm", n_envs: int = 5, **kwargs: Any) -> Supervised:
    env_kwargs = SMALL if env_id == COPY else {"letters": 4, "support": 2}
    policy = {"memory": memory, "net_arch": [], **kwargs}
    return Supervised(
        "MemoryPolicy", make_vec_env(env_id, n_envs, **env_kwargs), seed=3, policy_kwargs=policy
    )


def _streams(model: Supervised) -> StreamVectorEnv:
    base: Any = model.env
    assert isinstance(base.env, StreamVectorEnv)
    return base.env


@torch.no_grad()
@pytest.mark.parametrize("env_id", [COPY, DICTIONARY])
@pytest.mark.parametrize("memory", ["lstm", "mnm-p"])
def test_the_losses_are_those_of_a_plain_loop_over_rows_and_steps(env_id: str, memory: str) -> None:
    model = _model(env_id, memory)
    model.policy.double()
    losses = model.losses(model.rollout())
    drawn = _streams(model).batch()
    answer_losses, own_losses = [], []
    for row in range(5):
        state: Any = model.policy.network.initial_state(1)
        for t in range(int(drawn.sizes[row])):
            obs = torch.as_tensor(drawn.inputs[t, row])[None]
            encoded = model.policy.network.encoder(obs)
            out, state, own = model.policy.network.memory.forward_with_losses(encoded, state)
            own_losses += [float(loss) for loss in own.values()]
            if drawn.mask[t, row]:
                logits = model.policy.actor(torch.cat([encoded, out], dim=-1))[0]
                wanted = np.atleast_1d(drawn.targets[t, row])
                choices = 2 if env_id == COPY else 4
                for part, right in zip(logits.split(choices), wanted, strict=True):
                    answer_losses.append(float(torch.logsumexp(part, 0) - part[right]))
    assert float(losses["answer"]) == pytest.approx(np.mean(answer_losses), abs=1e-6)
    assert set(losses) == ({"answer", "memory_recall"} if memory == "mnm-p" else {"answer"})
    if memory == "mnm-p":
        assert float(losses["memory_recall"]) == pytest.approx(np.mean(own_losses), abs=1e-6)
    assert float(model.total_loss(losses)) == pytest.approx(sum(map(float, losses.values())))


def test_what_it_counts_is_what_the_environment_would_have_paid() -> None:
    model = _model(n_envs=64)
    model.rollout()
    env = _streams(model)
    assert model.num_timesteps == env.batch().sizes.sum()
    sizes, due = env.batch().sizes.tolist(), env.batch().mask.sum()
    state, before = env.get_state(), [p.clone() for p in model.policy.parameters()]
    model.train()
    assert any((p != q).any() for p, q in zip(model.policy.parameters(), before, strict=True))
    with torch.no_grad():
        for parameter, old in zip(model.policy.parameters(), before, strict=True):
            parameter.copy_(old)
    env.set_state(state)
    returns, over = np.zeros(64), np.zeros(64, np.bool_)
    memory, starts = None, np.ones(64, np.bool_)
    obs = model._last_obs
    successes, right = np.zeros(64, np.bool_), 0
    assert obs is not None
    while not over.all():
        actions, memory = model.predict(obs, memory, starts, deterministic=True)
        obs, rewards, ended, _, infos = env.step(actions)
        returns += np.where(over, 0.0, rewards)
        ends = ended & ~over
        final = infos.get("final_info", infos)
        successes[ends] = final["success"][ends]
        right += final["symbols_correct"][ends].sum()
        over |= ended
        starts = np.zeros(64, np.bool_)
    assert model.ep_info_buffer is not None
    assert [info["r"] for info in model.ep_info_buffer] == pytest.approx(returns.tolist())
    assert [info["l"] for info in model.ep_info_buffer] == sizes
    assert list(model.ep_success_buffer or ()) == successes.tolist()
    assert 0 < right < due
    wrong = model.logger.name_to_value["train/wrong_answers"]
    assert wrong == pytest.approx(1 - right / due)


def test_a_step_descends_on_all_losses() -> None:
    model = _model(memory="mnm-p", memory_kwargs={"recall_delay": 1})  # compiles nothing
    loss = model.total_loss(model.losses(model.rollout()))
    parameters = [p for p in model.policy.parameters() if p.requires_grad]
    wanted = torch.autograd.grad(loss, parameters)
    model.policy.set_training_mode(False)
    model.train()
    assert model.policy.training
    assert {"train/answer_loss", "train/memory_recall_loss"} <= set(model.logger.name_to_value)
    for parameter, gradient in zip(parameters, wanted, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient)


def test_every_update_has_streams_of_its_own() -> None:
    model = _model(n_envs=16)
    model.rollout()
    first = _streams(model).batch().inputs
    assert model.env is not None
    model.collect_rollouts(model.env, model._init_callback(None))
    second = _streams(model).batch().inputs
    assert first.shape != second.shape or (first != second).any()


def test_it_learns_to_copy_and_plays_what_it_learned() -> None:
    env_kwargs = {"max_length": 3, "bits": 2}
    model = Supervised(
        "MemoryPolicy",
        make_vec_env(COPY, 64, **env_kwargs),
        learning_rate=0.01,
        seed=0,
        policy_kwargs={"net_arch": [], "memory_kwargs": {"hidden_size": 64}},
    )
    model.learn(64 * 5 * 250)
    result = evaluate(model, COPY, 200, env_kwargs=env_kwargs)
    assert result.success is not None
    assert result.success > 0.95


def test_there_is_no_critic_to_show_and_none_for_others_to_learn_with() -> None:
    model = _model()
    assert not [name for name, _ in model.policy.named_parameters() if "critic" in name]
    trace = run_trace(model, COPY, 1, env_kwargs=SMALL)
    assert trace.values is None
    with pytest.raises(ValueError, match="critic_memory is 'none'; allowed with MemoryPPO: 'own'"):
        MemoryPPO("MemoryPolicy", make_vec_env(COPY, 2), policy_kwargs={"critic_memory": "none"})


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Tape-Copy-Easy-v0"])
def test_other_environments_are_refused(env_id: str) -> None:
    with pytest.raises(TypeError, match="allowed: ids of the family stream"):
        Supervised("MemoryPolicy", env_id)
    with pytest.raises(TypeError, match="allowed: ids of the family stream"):
        _model().set_env(make_vec_env(env_id, 5))


def test_wrappers_whose_work_would_not_be_learned_are_refused() -> None:
    allowed = "VecNormalize; allowed: .* without wrappers"
    with pytest.raises(TypeError, match=allowed):
        Supervised("MemoryPolicy", VecNormalize(make_vec_env(COPY, 2)))
    with pytest.raises(TypeError, match=allowed):
        _model().set_env(VecNormalize(make_vec_env(COPY, 5, **SMALL)))
    with pytest.raises(TypeError, match="VecFrameStack; allowed"):
        Supervised("MemoryPolicy", VecFrameStack(make_vec_env(COPY, 2), 2))
    with pytest.warns(UserWarning, match="already wrapped"):
        monitored = VecMonitor(make_vec_env(COPY, 2))
    model = Supervised("MemoryPolicy", monitored)
    assert model.learn(1).num_timesteps > 1


# The rate is constant, as a schedule of half the steps would be another one.
_SENTENCES = (
    "policy.encoder=SentenceEncoder policy.encoder_kwargs.word_dropout=0.2 algorithm.dropout=0.2 "
    "policy.encoder_size=null env_kwargs.level=sentence algorithm.learning_rate=0.001"
)


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        (COPY, "env_kwargs.max_length=3 env_kwargs.bits=3"),
        ("Stream-bAbI-QA2-v0", _SENTENCES),
    ],
)
def test_fit_trains_and_goes_on_to_the_bit(tmp_path: Path, env_id: str, settings: str) -> None:
    small = f"{settings} n_envs=4 policy.memory_kwargs={{}}"
    common = ["--memory", "mnm-p", "--set", *small.split()]
    whole, half, rest = (tmp_path / name for name in ("whole", "half", "rest"))
    assert main(["fit", env_id, *common, "--timesteps", "800", "--out", str(whole)]) == 0
    assert main(["fit", env_id, *common, "--timesteps", "400", "--out", str(half)]) == 0
    assert (
        main(["fit", "--continue-from", str(half), "--timesteps", "800", "--out", str(rest)]) == 0
    )
    there, here = (agents.load(folder / "model.zip").policy for folder in (whole, rest))
    for name, tensor in there.state_dict().items():
        assert torch.equal(tensor, here.state_dict()[name]), name
    for name in ("learning_curve.png", "trace.txt", "evaluation.json", "progress.csv"):
        assert (rest / name).exists()


class Noting(Curriculum):
    """Keeps every error that it is told."""

    def record(self, errors: Iterable[float]) -> None:
        self.noted = [*getattr(self, "noted", []), *(told := list(errors))]
        super().record(told)


def test_a_curriculum_counts_what_the_update_before_it_marked() -> None:
    curriculum = Noting(3, level=1, threshold=1.0, refractory=2, p_any=0.0, p_below=0.0)
    env = make_vec_env(COPY, 8, bits=1, max_length=3, curriculum=curriculum)
    model = Supervised("MemoryPolicy", env, seed=0, stats_window_size=10_000)
    model.learn(400, CurriculumCallback(curriculum))
    successes = list(model.ep_success_buffer or ())
    assert curriculum.noted == [1.0 - success for success in successes]
    assert 0.0 < np.mean(curriculum.noted) < 1.0
    updates = len(successes) // 8
    assert (curriculum.level, curriculum.updates_since_advance) == (3, updates - 4)


def test_a_curriculum_can_count_missed_answers() -> None:
    curriculum = Curriculum(3, decay=0.0)
    env = make_vec_env(COPY, 16, bits=2, min_length=3, max_length=3, curriculum=curriculum)
    model = Supervised("MemoryPolicy", env, seed=0, policy_kwargs={"net_arch": []})
    model.learn(1, CurriculumCallback(curriculum, "symbols"))
    wrong = model.logger.name_to_value["train/wrong_answers"]
    assert curriculum.running_error == pytest.approx(wrong)
    assert 0.0 < wrong < 1.0


def test_a_curriculum_goes_on_to_the_bit(tmp_path: Path) -> None:
    settings = "curriculum.max_level=9 curriculum.threshold=1.0 curriculum.refractory=3"
    small = f"{settings} n_envs=4 policy.memory_kwargs={{}} env_kwargs.bits=1"
    common = ["fit", COPY, "--memory", "gru", "--set", *small.split()]
    whole, half, rest = (tmp_path / name for name in ("whole", "half", "rest"))
    assert main([*common, "--timesteps", "800", "--out", str(whole)]) == 0
    assert main([*common, "--timesteps", "400", "--out", str(half)]) == 0
    assert (
        main(["fit", "--continue-from", str(half), "--timesteps", "800", "--out", str(rest)]) == 0
    )
    there, here = (agents.load(folder / "model.zip").policy for folder in (whole, rest))
    for name, tensor in there.state_dict().items():
        assert torch.equal(tensor, here.state_dict()[name]), name
    levels = RunDirectory(whole).read_progress()["curriculum/level"]
    assert levels[-1][1] > 2


def test_a_task_of_ones_own_can_be_fitted(tmp_path: Path) -> None:
    from gymnasium import spaces

    import memory_envs

    env_id = memory_envs.register_stream_task(
        memory_envs.StreamTask(
            "FirstOfAll",
            _sample_first,
            steps=lambda length: length + 1,
            inputs=lambda: spaces.Discrete(4),
            answers=lambda: spaces.Discrete(3),
            max_length=3,
        )
    )
    assert main(["fit", env_id, "--timesteps", "200", "--out", str(tmp_path / "run")]) == 0


def _sample_first(row, length, inputs, targets):  # type: ignore[no-untyped-def]
    for t in range(length):
        inputs[t] = draw(row, 3)
    inputs[length] = 3
    targets[length] = inputs[0]
    return length + 1


def test_what_learns_from_answers_has_no_policy_gradient_to_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gradcheck", "--algo", "supervised"]) == 2
    assert "allowed: those that learn by reward: ppo, a2c" in capsys.readouterr().err
