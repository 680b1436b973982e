"""A recurrent actor-critic in plain PyTorch, small enough to be read whole; tests break it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.evaluation.conformance import Adapter, Judged, Rollout, Step
from agents.evaluation.conformance.adapter import MakeEnv
from memory_envs.scoring.policy import Turn

GAMMA, LAMBDA, STEPS, HIDDEN = 0.9, 0.8, 16, 8


class Toy:
    """One GRU for both heads; each method is a place where others have made a mistake."""

    takes_masks = True

    def __init__(self, make_env: MakeEnv, rows: int, seed: int) -> None:
        self.envs: list[Any] = [make_env() for _ in range(rows)]
        size, choices = self.envs[0].observation_space.shape[0], self.envs[0].action_space.n
        self.make_network(size, choices, seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.shown: Any = None

    def make_network(self, size: int, choices: int, seed: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.net = nn.ModuleDict(
                {
                    "cell": nn.GRUCell(size, HIDDEN),
                    "actor": nn.Linear(HIDDEN, choices),
                    "critic": nn.Linear(HIDDEN, 1),
                }
            )
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.01)

    # The network

    def reset(self, state: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts[:, None], 0.0, state)

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        hidden: Tensor = self.net["cell"](shown, self.reset(state, starts))
        return hidden

    def heads(self, hidden: Tensor, masks: Any) -> tuple[Tensor, Tensor]:
        logits = self.net["actor"](hidden)
        if masks is not None:
            logits = torch.where(torch.as_tensor(masks), logits, -1e9)
        return logits.log_softmax(-1), self.net["critic"](hidden)[..., 0]

    def step(self, shown: Any, state: Any, starts: Any, masks: Any) -> Step:
        seen, begins = torch.as_tensor(np.array(shown)), torch.as_tensor(np.array(starts))
        before = torch.zeros(len(seen), HIDDEN) if state is None else state
        hidden = self.remember(seen, before, begins)
        return Step(*self.heads(hidden, masks), hidden)

    # The rollout

    def begin(self) -> None:
        self.shown = np.stack([env.reset()[0] for env in self.envs])
        self.starts = np.ones(len(self.envs), np.bool_)
        self.state = torch.zeros(len(self.envs), HIDDEN)

    def rollout_begins(self) -> None:
        if self.shown is None:
            self.begin()

    def masks(self) -> Any:
        if not hasattr(self.envs[0], "action_masks"):
            return None
        return np.stack([env.action_masks() for env in self.envs])

    @torch.no_grad()
    def rollout(self) -> Rollout:
        self.rollout_begins()
        self.first_state = self.state
        kept: dict[str, list[Any]] = {
            name: [] for name in ("shown", "actions", "starts", "log_probs", "values", "masks")
        }
        rewards, ends = np.zeros((2, STEPS, len(self.envs)))
        for time in range(STEPS):
            masks = self.masks()
            step = self.step(self.shown, self.state, self.starts, masks)
            actions = torch.multinomial(step.log_probs.exp(), 1, generator=self.generator)
            log_probs = step.log_probs.gather(1, actions)[:, 0]
            now = (self.shown, actions[:, 0], self.starts, log_probs, step.values, masks)
            for part, value in zip(kept.values(), now, strict=True):
                part.append(value.numpy() if isinstance(value, Tensor) else value)
            self.state = step.state
            self.shown, self.starts = self.shown.copy(), np.zeros(len(self.envs), np.bool_)
            for row, env in enumerate(self.envs):
                shown, reward, over, cut, _ = env.step(int(actions[row]))
                if cut:
                    reward += GAMMA * self.after_time_limit(row, shown, env)
                if over or cut:
                    shown = self.next_episode(row, shown, env)
                rewards[time, row], ends[time, row] = reward, over or cut
                self.starts[row], self.shown[row] = over or cut, shown
        arrays = {name: np.stack(part) for name, part in kept.items() if part[0] is not None}
        last = self.step(self.shown, self.state, self.starts, None).values.numpy()
        advantages = self.advantages(rewards, arrays["values"], ends, last)
        return Rollout(
            arrays["shown"],
            arrays["actions"],
            arrays["starts"],
            arrays["log_probs"],
            arrays["values"],
            advantages,
            GAMMA,
            LAMBDA,
            masks=arrays.get("masks"),
        )

    def next_episode(self, row: int, last: Any, env: Any) -> Any:
        return env.reset()[0]

    def after_time_limit(self, row: int, shown: Any, env: Any) -> float:
        before = self.state[row : row + 1]
        return float(self.step(shown[None], before, np.zeros(1, np.bool_), None).values)

    def advantages(self, rewards: Any, values: Any, ends: Any, last: Any) -> Any:
        following = np.concatenate([values[1:], last[None]])
        deltas = rewards + GAMMA * (1 - ends) * following - values
        for time in reversed(range(STEPS - 1)):
            deltas[time] += GAMMA * LAMBDA * (1 - ends[time]) * deltas[time + 1]
        return deltas

    # Training

    def unroll(self, rollout: Rollout) -> Tensor:
        state, hidden = self.first_state, []
        for shown, starts in zip(rollout.observations, rollout.starts, strict=True):
            state = self.remember(torch.as_tensor(shown), state, torch.as_tensor(starts))
            hidden.append(state)
        return torch.stack(hidden)

    def evaluate(self, rollout: Rollout) -> Judged:
        log_probs, values = self.heads(self.unroll(rollout), rollout.masks)
        taken = torch.as_tensor(rollout.actions)[..., None]
        return Judged(log_probs.gather(-1, taken)[..., 0], values)

    def entropy(self, rollout: Rollout) -> float:
        log_probs, _ = self.heads(self.unroll(rollout), rollout.masks)
        return float(-(log_probs.exp() * log_probs).detach().sum(-1).mean())

    def train(self, steps: int) -> None:
        for _ in range(-(-steps // (STEPS * len(self.envs)))):
            rollout = self.rollout()
            judged = self.evaluate(rollout)
            loss = -(torch.as_tensor(rollout.advantages).float() * judged.log_probs).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    # Playing and files

    def policy(self, turn: Turn, state: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            step = self.step(turn.observations, state, turn.starts, turn.masks)
        return step.log_probs.argmax(1).numpy(), step.state

    def reload(self, folder: Path) -> Adapter:
        torch.save(self.saved(), folder / "toy.pt")
        other = type(self)(lambda: self.envs[0], 1, 12345)
        other.net.load_state_dict(torch.load(folder / "toy.pt"), strict=False)
        return other.adapter()

    def saved(self) -> dict[str, Tensor]:
        return dict(self.net.state_dict())

    def change_env(self, make_env: MakeEnv) -> None:
        self.envs = [make_env() for _ in self.envs]
        self.begin()

    def adapter(self) -> Adapter:
        return Adapter(
            self.step,
            self.rollout,
            self.evaluate,
            self.policy,
            self.reload,
            self.train,
            self.change_env,
            self.entropy,
            self.takes_masks,
        )
