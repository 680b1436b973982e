"""The adapters of other projects' agents, as far as they need none of these projects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agents.evaluation.conformance import Report, check_recurrent
from agents.evaluation.conformance.probe import STEPS, ProbeEnv
from agents.evaluation.conformance.report import Finding
from benchmarks.conformance import __main__ as command
from benchmarks.conformance.cleanrl_lstm import CleanRLMaker, Script, main_with_pauses

# Of the shape of CleanRL's scripts.
SCRIPT = """
from contextlib import nullcontext
from cleanrl_utils.wrappers import nothing_that_is_installed

if __name__ == "__main__":
    agent = "made"
    for iteration in range(2):
        with nullcontext():
            advantages = 10 + iteration
        for epoch in range(2):
            for minibatch in range(2):
                loss = 2 * epoch + minibatch
                optimizer.zero_grad()
                loss = None
"""

# The same, and an agent: what the adapter looks at is called as in `ppo_atari_lstm.py`.
AGENT = """
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
import torch.nn as nn
import tyro
from cleanrl_utils.atari_wrappers import nothing_that_is_installed
from torch.distributions import Categorical
from torch.utils.tensorboard import SummaryWriter


@dataclass
class Args:
    seed: int = 1
    cuda: bool = True
    total_timesteps: int = 0
    learning_rate: float = 0.001
    num_envs: int = 8
    num_steps: int = 128
    num_minibatches: int = 4
    gamma: float = 0.9
    gae_lambda: float = 0.8
    batch_size: int = 0


def make_env(row):
    return lambda: gym.make("BreakoutNoFrameskip-v4")


def layer_init(layer, std):
    nn.init.orthogonal_(layer.weight, std)
    return layer


class Agent(nn.Module):
    def __init__(self, envs):
        super().__init__()
        self.network = nn.Conv2d(1, 32, 8)
        self.lstm = nn.LSTM(16, 12)
        self.actor = nn.Linear(12, envs.single_action_space.n)
        self.critic = nn.Linear(12, 1)

    def get_states(self, x, state, done):
        seen = self.network(x / 255.0).reshape(-1, state[0].shape[1], 16)
        outs = []
        for h, d in zip(seen, done.reshape(seen.shape[:2])):
            h, state = self.lstm(h[None], tuple((1.0 - d)[None, :, None] * part for part in state))
            outs.append(h)
        return torch.cat(outs).flatten(0, 1), state

    def act(self, x, state, done, action=None):
        hidden, state = self.get_states(x, state, done)
        policy = Categorical(logits=self.actor(hidden))
        action = policy.sample() if action is None else action
        return action, policy.log_prob(action), policy.entropy(), self.critic(hidden)[:, 0], state


if __name__ == "__main__":
    args = tyro.cli(Args)
    args.batch_size = args.num_envs * args.num_steps
    writer = SummaryWriter("runs")
    writer.add_text("arguments", str(args))
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)
    envs = gym.vector.SyncVectorEnv([make_env(row) for row in range(args.num_envs)])
    assert isinstance(envs.single_action_space, gym.spaces.Discrete)
    agent = Agent(envs)
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate)
    shape = (args.num_steps, args.num_envs)
    obs, actions = torch.zeros(*shape, *envs.single_observation_space.shape), torch.zeros(shape)
    logprobs, rewards, dones, values = (torch.zeros(shape) for _ in range(4))
    next_obs, next_done = torch.Tensor(envs.reset(seed=args.seed)[0]), torch.zeros(args.num_envs)
    next_state = (torch.zeros(1, args.num_envs, 12), torch.zeros(1, args.num_envs, 12))
    for iteration in range(args.total_timesteps // args.batch_size):
        first_state = next_state
        optimizer.param_groups[0]["lr"] = args.learning_rate
        for step in range(args.num_steps):
            obs[step], dones[step] = next_obs, next_done
            with torch.no_grad():
                action, logprobs[step], _, values[step], next_state = agent.act(
                    next_obs, next_state, next_done
                )
            actions[step] = action
            shown, reward, ended, cut, _ = envs.step(action.numpy())
            next_obs, next_done = torch.Tensor(shown), torch.Tensor(ended | cut)
            rewards[step] = torch.tensor(reward)
        with torch.no_grad():
            *_, next_value, _ = agent.act(next_obs, next_state, next_done)
            advantages, last = torch.zeros(shape), 0
            for t in reversed(range(args.num_steps)):
                going_on = 1.0 - (next_done if t == args.num_steps - 1 else dones[t + 1])
                after = next_value if t == args.num_steps - 1 else values[t + 1]
                delta = rewards[t] + args.gamma * after * going_on - values[t]
                advantages[t] = last = delta + args.gamma * args.gae_lambda * going_on * last
        rows = np.arange(args.num_envs)
        places = np.arange(args.batch_size).reshape(shape)
        for epoch in range(2):
            np.random.shuffle(rows)
            for start in range(0, args.num_envs, args.num_envs // args.num_minibatches):
                mbenvinds = rows[start : start + args.num_envs // args.num_minibatches]
                mb_inds = places[:, mbenvinds].ravel()
                _, newlogprob, entropy, newvalue, _ = agent.act(
                    obs.flatten(0, 1)[mb_inds],
                    tuple(part[:, mbenvinds] for part in first_state),
                    dones.flatten()[mb_inds],
                    actions.flatten()[mb_inds],
                )
                gain = advantages.flatten()[mb_inds]
                entropy_loss = entropy.mean()
                loss = -((newlogprob - logprobs.flatten()[mb_inds]).exp() * gain).mean()
                loss = loss + (newvalue - gain).square().mean() - 0.01 * entropy_loss
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        print("done")
"""


class Optimizer:
    def __init__(self) -> None:
        self.updates = 0

    def zero_grad(self) -> None:
        self.updates += 1


def test_a_script_pauses_where_it_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    names: dict[str, Any] = {"optimizer": Optimizer()}
    exec(main_with_pauses(path), names)
    script = Script(names["main"]())
    assert (script.place, script.now.agent) == ("made", "made")
    script.run_to("rollout")
    assert (script.now.advantages, names["optimizer"].updates) == (10, 0)
    script.run_to("update")
    assert (script.now.loss, names["optimizer"].updates) == (0, 0)
    script.run_to("rollout")
    assert (script.now.advantages, names["optimizer"].updates) == (11, 4)
    script.run_to("over")
    assert names["optimizer"].updates == 8


def test_a_scripts_agent_is_checked_by_its_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(AGENT, encoding="utf-8")
    report = check_recurrent(CleanRLMaker(path))
    lines = "\n".join(report.lines())
    assert report.failed == ("time limits",), lines
    unchecked = ("changed environment", "masks", "predict", "files", "learning")
    assert report.not_checked == unchecked, lines


def test_a_script_trains_for_as_many_steps_as_it_is_told_or_a_few_more(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(AGENT, encoding="utf-8")
    steps: list[Any] = []

    class Probe(ProbeEnv):
        def step(self, action: Any) -> Any:
            steps.append(action)
            return super().step(action)

    adapter = CleanRLMaker(path)(lambda: Probe(0, 0, None), 2, 0)
    assert adapter.train is not None
    adapter.train(STEPS * 2 + 1)
    assert len(steps) == 2 * STEPS * 2


def test_a_row_of_the_table_tells_what_failed_and_what_was_not_checked() -> None:
    found = (Finding("rows", "ok"), Finding("seed", "FAILED"), Finding("masks", "not checked"))
    row = command.row("cleanrl", Report("cleanrl", found))
    assert row == "| `cleanrl` | a script | `seed` | `masks` |"
    row = command.row("cleanrl", Report("cleanrl", found[:1]))
    assert row.endswith("| nothing | nothing |")


def test_another_script_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("print(3)", encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.py'; allowed: CleanRL's ppo_atari_lstm\.py"):
        main_with_pauses(path)


def test_what_is_not_installed_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["cleanrl"])
    assert "cleanrl: left out, needs --cleanrl" in capsys.readouterr().out


def test_other_agents_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["dreamer"])
    assert "AGENT is 'dreamer'; allowed: recurrent-ppo" in capsys.readouterr().err


def test_the_page_tells_of_every_agent() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    section = page.partition("## What it finds")[2].partition("\n## ")[0]
    assert re.findall("^\\| `(.*?)`", section, re.MULTILINE) == list(command.AGENTS)
