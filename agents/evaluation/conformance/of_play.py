"""Checks of playing, saving, seeds and learning."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agents.evaluation.conformance.adapter import Adapter
from agents.evaluation.conformance.kit import Kit
from agents.evaluation.conformance.of_steps import outputs
from agents.evaluation.conformance.probe import Probes, RecallEnv, Recalls
from agents.evaluation.conformance.replay import TOLERANCE, Array, numbers, replay
from agents.evaluation.conformance.report import FailedError, NotCheckedError
from memory_envs.scoring.policy import Policy, Turn

_TURNS = 16
_SURE = 0.9  # two cues are guessed too easily: what was learnt is also probable
_LOOK = 1_000  # steps of training, after each of which it is looked at whether it is learnt
_ROWS = 8
_AGENTS = 6


def _play(policy: Policy, probes: Probes, mode: AutoresetMode, rows: int) -> None:
    """Plays some turns; the probes know what was done."""
    env: Any = SyncVectorEnv([probes] * rows, autoreset_mode=mode)
    observations, _ = env.reset()
    starts, over, state = np.ones(rows, np.bool_), np.zeros(rows, np.bool_), None
    for number in range(_TURNS):
        seeds = np.arange(rows, dtype=np.uint64) + np.uint64(number * rows)
        turn = Turn(np.array(observations), starts, None, seeds)
        actions, state = policy(turn, state)
        was_over = over
        observations, _, terminated, truncated, _ = env.step(np.asarray(actions))
        starts = over = np.logical_or(terminated, truncated)
        if mode == AutoresetMode.NEXT_STEP:
            # After an end the last observation is shown, and the action that follows is not looked
            # at; the episode starts with what is shown after that.
            starts = was_over
        if mode == AutoresetMode.DISABLED and over.any():
            observations, _ = env.reset(options={"reset_mask": over})
    env.close()


def predict_carries(kit: Kit) -> None:
    """The policy plays as the network's step does, in every autoreset mode."""
    # The most probable action must hang on the memory somewhere: of some new agent it does.
    for seed in range(kit.seed, kit.seed + _AGENTS):
        agent, _ = kit.agent(seed=seed)
        if agent.policy is None:
            raise NotCheckedError("the adapter has no policy")
        if all(_agrees(agent, agent.policy, kit, mode) for mode in AutoresetMode):
            return
    raise NotCheckedError("the most probable actions do not depend on the memory")


def _agrees(agent: Adapter, policy: Policy, kit: Kit, mode: AutoresetMode) -> bool:
    """Returns whether an action of a policy that plays as it should depends on the memory.

    Raises:
        FailedError: If it does not play so.
    """
    probes, hangs = Probes(kit.seed + 2), False
    mistakes: list[tuple[int, int, int]] = []
    _play(policy, probes, mode, _ROWS)
    for row, episodes in enumerate(probes.episodes(_ROWS)):
        for number, steps in episodes.items():
            played = replay(agent, steps)
            for taken, chances in zip(steps, played.log_probs, strict=True):
                known = numbers(chances)
                if known.max() - known[taken.action] > TOLERANCE:
                    mistakes.append((number, taken.time, row))
                if not hangs:
                    alone = numbers(replay(agent, [taken._replace(time=0)]).log_probs[0])
                    hangs = int(known.argmax()) != int(alone.argmax())
    if mistakes:
        number, time, row = min(mistakes)
        cause = "does not reset its state where an episode starts"
        if number == 0:
            cause = "does not carry its state" if time else "does not take the most probable action"
        raise FailedError(
            f"in autoreset mode {mode.value}, step {time} of episode {number} of row {row} is not "
            f"the most probable action by the network's step: the policy {cause}"
        )
    return hangs


def files_keep(kit: Kit) -> None:
    """What is loaded gives out the same as what was saved, after some training, too."""
    agent, _ = kit.agent()
    if agent.reload is None:
        raise NotCheckedError("the adapter has no reload")
    if agent.train is not None:
        agent.train(1)
    before = _account(agent, kit)
    with TemporaryDirectory() as folder:
        after = _account(agent.reload(Path(folder)), kit)
    if not np.array_equal(before, after, equal_nan=True):
        error = float(np.abs(before - after).max())
        raise FailedError(
            f"what is loaded gives out something else than what was saved (by {error:.2g})"
        )


def _account(agent: Adapter, kit: Kit) -> Array:
    """What an agent gives out for the same observations, ``(T, B, choices + 1)``."""
    state, seen = None, []
    for time, shown in enumerate(kit.observations(6)):
        step = agent.step(shown, state, np.full(kit.rows, time == 0), None)
        state = step.state
        seen.append(outputs(step))
    return np.stack(seen)


def same_seed(kit: Kit) -> None:
    """The same seed gives the same rollout and, after training, the same bits."""
    accounts = [_history(kit, kit.seed), _history(kit, kit.seed), _history(kit, kit.seed + 1)]
    parts = "actions of a rollout", "log-probabilities of a rollout", "network after training"
    for name, first, second in zip(parts, *accounts[:2], strict=True):
        if not np.array_equal(first, second, equal_nan=True):
            raise FailedError(f"the same seed gives other {name}")
    if all(
        np.array_equal(*pair, equal_nan=True) for pair in zip(accounts[0], accounts[2], strict=True)
    ):
        raise FailedError("another seed gives the same rollout and network: the seed is not used")


def _history(kit: Kit, seed: int) -> tuple[Array, Array, Array]:
    agent, _ = kit.agent(seed=seed)
    rollout = agent.rollout()
    if agent.train is not None:
        agent.train(1)
    return rollout.actions, rollout.log_probs, _account(agent, kit)


def learns(kit: Kit) -> None:
    """A task that needs memory is learnt to its exact optimum."""
    agent = kit.made_in(Recalls(kit.seed), 16, kit.seed)
    if agent.train is None:
        raise NotCheckedError("the adapter has no train")
    got, chance = _recalled(agent)
    for trained in range(0, kit.train_steps, _LOOK):
        agent.train(min(_LOOK, kit.train_steps - trained))
        got, chance = _recalled(agent)
        if got == 1.0 and chance > _SURE:
            return
    raise FailedError(
        f"after {kit.train_steps} steps, the most probable actions get {got} on average where a "
        f"cue is to be remembered over two steps, with a mean probability of {chance:.2f} of the "
        "right answer; the optimum is 1.0, without memory it is 0.5"
    )


def _recalled(agent: Adapter) -> tuple[float, float]:
    """Plays every cue once; the mean reward, and the mean probability of the right answer."""
    total = chance = 0.0
    for cue in range(2):
        env, state, over, starts = RecallEnv(0, cue), None, False, True
        shown, _ = env.reset()
        while not over:
            step = agent.step(shown[None], state, np.array([starts]), None)
            state, starts = step.state, False
            log_probs = numbers(step.log_probs)[0]
            shown, reward, over, _, _ = env.step(int(log_probs.argmax()))
            total += reward
        chance += float(np.exp(log_probs[cue]))
    return total / 2, chance / 2
