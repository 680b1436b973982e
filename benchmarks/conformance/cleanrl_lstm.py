"""The adapter of CleanRL's `ppo_atari_lstm.py`: the script's own lines run, from a file of yours.

All that the script does stands under ``if __name__ == "__main__"``. Here these lines become a
generator that pauses where the agent is made, a rollout is complete, an update is to be applied and
an iteration is over; what is compared are the script's variables there. Its update is applied with
a learning rate of zero, except in `train`. Three things are not the script's:

- a linear layer in place of the network for pictures, which undoes their division by 255;
- the environments, which begin anew in the step that ends an episode, as in Gymnasium 0.29, for
  which the script was written;
- one minibatch in place of four, so that a step's memory is looked at in all rows at once.

The script has no function that plays, saves or changes environments.
"""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path
from types import CodeType, GeneratorType, SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import nn
from torch.distributions import Categorical

from agents.evaluation.conformance import Adapter, Judged, Rollout, Step
from agents.evaluation.conformance.adapter import MakeEnv
from agents.evaluation.conformance.probe import STEPS

LEARNING_RATE = 3e-3
_FIRST_OF_UPDATE = "optimizer.zero_grad()"


class CleanRLMaker:
    """Makes adapters of the agent of a script.

    Args:
        script: Path of `ppo_atari_lstm.py`.
    """

    name = "ppo_atari_lstm.py"

    def __init__(self, script: Path) -> None:
        self.code = main_with_pauses(script)

    def __call__(self, make_env: MakeEnv, rows: int, seed: int) -> Adapter:
        """Runs the script until its agent is made, and returns the adapter."""
        names: dict[str, Any] = {"__name__": "script", "__file__": "script.py"}
        exec(self.code, names)
        settings = {
            "num_envs": rows,
            "num_steps": STEPS,
            "num_minibatches": 1,
            "total_timesteps": 10**9,
            "learning_rate": 0.0,
            "seed": seed,
            "cuda": False,
        }
        vector = partial(SyncVectorEnv, autoreset_mode=AutoresetMode.SAME_STEP)
        names |= {
            "Agent": _for_vectors(names["Agent"], names["layer_init"]),
            "gym": SimpleNamespace(spaces=gym.spaces, vector=SimpleNamespace(SyncVectorEnv=vector)),
            "make_env": lambda *_: make_env,
            "print": lambda *_: None,
            "SummaryWriter": _NoWriter,
            "tyro": SimpleNamespace(cli=lambda kind: kind(**settings)),
        }
        return adapter_of(Script(names["main"]()))


class _NoWriter:
    def __init__(self, folder: str) -> None:
        self.add_text = self.add_scalar = lambda *_: None


def _for_vectors(kind: Any, layer_init: Any) -> Any:
    def make(envs: Any) -> Any:
        agent = kind(envs)
        size = envs.single_observation_space.shape[0]
        linear = nn.Linear(size, agent.lstm.input_size)
        agent.network = nn.Sequential(layer_init(linear, std=255.0 * 2.0**0.5), nn.ReLU())
        return agent

    return make


def main_with_pauses(script: Path) -> CodeType:
    """Returns the script's code with its main part as a generator `main`.

    Raises:
        ValueError: If it is another script.
    """
    text = script.read_text(encoding="utf-8")
    if _FIRST_OF_UPDATE not in text or "__main__" not in text:
        raise ValueError(f"script is {str(script)!r}; allowed: CleanRL's ppo_atari_lstm.py")
    tree = ast.parse(text)
    main = tree.body.pop()
    assert isinstance(main, ast.If)
    (loop,) = (node for node in main.body if isinstance(node, ast.For))
    (advantages,) = (node for node in loop.body if isinstance(node, ast.With))
    main.body.insert(main.body.index(loop), _pause("made"))
    loop.body.insert(loop.body.index(advantages) + 1, _pause("rollout"))
    loop.body.append(_pause("over"))
    minibatches = next(
        node
        for node in ast.walk(loop)
        if isinstance(node, ast.For) and _FIRST_OF_UPDATE in map(ast.unparse, node.body)
    )
    place = list(map(ast.unparse, minibatches.body)).index(_FIRST_OF_UPDATE)
    minibatches.body.insert(place, _pause("update"))
    function = ast.parse("def main(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = main.body
    # The wrappers are for Atari only.
    kept = [line for line in tree.body if "cleanrl_utils" not in ast.unparse(line)]
    module = ast.fix_missing_locations(ast.Module([*kept, function], []))
    return compile(module, str(script), "exec", dont_inherit=True)


def _pause(name: str) -> ast.stmt:
    return ast.parse(f"yield {name!r}").body[0]


class Script:
    """A script on its way.

    Args:
        lines: The generator of its main part.
    """

    def __init__(self, lines: GeneratorType[str, None, None]) -> None:
        self._lines = lines
        self.place = ""
        self.run_to("made")

    def run_to(self, place: str) -> None:
        """Runs on to the next pause of this name."""
        self.place = next(self._lines)
        while self.place != place:
            self.place = next(self._lines)

    @property
    def now(self) -> SimpleNamespace:
        """The script's variables."""
        frame = self._lines.gi_frame
        assert frame is not None
        return SimpleNamespace(**frame.f_locals)


def adapter_of(script: Script) -> Adapter:
    """Returns the adapter of a script whose agent is made."""
    agent = script.now.agent

    def step(observations: Any, state: Any, starts: Any, masks: Any) -> Step:
        zeros = torch.zeros(agent.lstm.num_layers, len(starts), agent.lstm.hidden_size)
        before = (zeros, zeros) if state is None else state
        begins = torch.as_tensor(np.array(starts), dtype=torch.float32)
        hidden, after = agent.get_states(torch.as_tensor(np.array(observations)), before, begins)
        return Step(
            Categorical(logits=agent.actor(hidden)).logits, agent.critic(hidden)[:, 0], after
        )

    def rollout() -> Rollout:
        first = script.place == "made"
        script.run_to("rollout")
        now = script.now
        starts = now.dones.numpy() == 1.0
        if first:  # The state is new at the very first step, and no start is marked.
            starts[0] = True
        return Rollout(
            now.obs.numpy().copy(),
            now.actions.numpy().astype(np.int64),
            starts,
            now.logprobs.numpy().copy(),
            now.values.numpy().copy(),
            now.advantages.numpy().copy(),
            now.args.gamma,
            now.args.gae_lambda,
        )

    def evaluate(rollout: Rollout) -> Judged:
        if script.place == "rollout":
            script.run_to("update")
        now = script.now
        order = np.argsort(now.mbenvinds)  # the rows are shuffled
        log_probs, values = (
            x.reshape(rollout.actions.shape)[:, order] for x in (now.newlogprob, now.newvalue)
        )
        return Judged(log_probs, values)

    def entropy(rollout: Rollout) -> float:
        if script.place == "rollout":
            script.run_to("update")
        return float(script.now.entropy_loss.detach())

    def train(steps: int) -> None:
        if script.place not in ("made", "over"):
            script.run_to("over")
        args = script.now.args
        args.learning_rate = LEARNING_RATE
        for _ in range(-(-steps // args.batch_size)):
            script.run_to("over")
        args.learning_rate = 0.0

    return Adapter(step, rollout, evaluate, train=train, entropy=entropy)
