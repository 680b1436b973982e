"""Bugs that were found in recurrent agents, and some that could be, planted into the toy.

`owner/repository#number` is the issue in which a bug was told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.evaluation.conformance import Judged, Rollout, Step
from agents.evaluation.conformance.adapter import MakeEnv
from memory_envs.scoring.policy import Turn
from tests.agents.evaluation.conformance.toy import GAMMA, HIDDEN, STEPS, Toy

# Of the network's step


class NotANumber(Toy):
    """Values are not numbers, which compares as equal to anything in a careless check."""

    def step(self, shown: Any, state: Any, starts: Any, masks: Any) -> Step:
        step = super().step(shown, state, starts, masks)
        return step._replace(values=step.values * float("nan"))


class LogitsForLogProbs(Toy):
    """What the network gives out is taken for log-probabilities."""

    def heads(self, hidden: Tensor, masks: Any) -> tuple[Tensor, Tensor]:
        return self.net["actor"](hidden), super().heads(hidden, masks)[1]


class ForgetsForOneStep(Toy):
    """Where an episode starts, the step is that of a new memory, and the old one is handed on."""

    def step(self, shown: Any, state: Any, starts: Any, masks: Any) -> Step:
        step = super().step(shown, state, starts, masks)
        if state is None:
            return step
        seen = torch.as_tensor(np.array(shown))
        return step._replace(state=self.net["cell"](seen, state))


class NeverResets(Toy):
    """The memory goes on from one episode to the next."""

    def reset(self, state: Tensor, starts: Tensor) -> Tensor:
        return state


class ResetsAllRows(Toy):
    """Where one row starts, all begin anew."""

    def reset(self, state: Tensor, starts: Tensor) -> Tensor:
        return state * ~starts.any()


class ResetsToRemains(Toy):
    """A start makes the memory smaller in place of new."""

    def reset(self, state: Tensor, starts: Tensor) -> Tensor:
        return torch.where(starts[:, None], 0.5 * state, state)


class StartsAfterTheStep(Toy):
    """The memory is reset after the first step of an episode, not before it."""

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        hidden: Tensor = self.net["cell"](shown, state)
        return self.reset(hidden, starts)


class NormalisesOverRows(Toy):
    """Statistics over the batch, in which all rows have a part."""

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        return super().remember(shown - shown.mean(0), state, starts)


class RowsBySlot(Toy):
    """pytorch/rl#1406 and Stable-Baselines-Team/stable-baselines3-contrib#111: rows mixed up.

    There states of layers and rows were reshaped where they had to be transposed.
    """

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        return super().remember(shown, state.T.reshape(state.shape), starts)


# Of the rollout


class ZeroStateInRollouts(Toy):
    """pytorch/rl#1406: in parallel environments the memory was new at every step."""

    def rollout(self) -> Rollout:
        self.forgets = True
        try:
            return super().rollout()
        finally:
            self.forgets = False

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        if getattr(self, "forgets", False):
            state = torch.zeros_like(state)
        return super().remember(shown, state, starts)


class ZeroStateBetweenRollouts(Toy):
    """ray-project/ray#2898, AgileRL/AgileRL#428: each rollout began with a state of zeros."""

    def rollout_begins(self) -> None:
        super().rollout_begins()
        self.state = torch.zeros_like(self.state)


class ResetsAfterTerminationsOnly(Toy):
    """instadeepai/Mava#951, FLAIROx/JaxMARL#119: after a time limit the memory went on."""

    def rollout(self) -> Rollout:
        self.playing = True
        try:
            return super().rollout()
        finally:
            self.playing = False

    def begin(self) -> None:
        super().begin()
        self.cut = np.zeros(len(self.envs), np.bool_)

    def next_episode(self, row: int, last: Any, env: Any) -> Any:
        self.cut[row] = env.taken[-1].truncated
        return super().next_episode(row, last, env)

    def remember(self, shown: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        if getattr(self, "playing", False) and len(starts) == len(self.cut):
            starts = starts & ~torch.as_tensor(self.cut)
        return super().remember(shown, state, starts)


class NotANumberInRollouts(Toy):
    """The rollout's values are not numbers."""

    def rollout(self) -> Rollout:
        rollout = super().rollout()
        return rollout._replace(values=np.full(rollout.starts.shape, np.nan))


class StateOfTheLongest(Toy):
    """ray-project/ray#21392: the state after the padding was handed on, not that after the end."""

    def rollout(self) -> Rollout:
        rollout = super().rollout()
        self.state = self.remember(
            torch.zeros(len(self.envs), self.shown.shape[1]),
            self.state,
            torch.zeros(len(self.envs), dtype=torch.bool),
        ).detach()
        return rollout


class LastForFirst(Toy):
    """hill-a/stable-baselines#400 turned round: the last observation where the next begins."""

    def next_episode(self, row: int, last: Any, env: Any) -> Any:
        super().next_episode(row, last, env)
        return last


class StartsOneLate(Toy):
    """The buffer keeps the ends of episodes as their starts."""

    def rollout(self) -> Rollout:
        rollout = super().rollout()
        return rollout._replace(starts=np.concatenate([rollout.starts[1:], self.starts[None]]))


class KeepsOtherActions(Toy):
    """The rollout keeps the actions of the step after."""

    def rollout(self) -> Rollout:
        rollout = super().rollout()
        return rollout._replace(actions=np.roll(rollout.actions, 1, axis=0))


class StaysWhereItIs(Toy):
    """Other environments are taken, and the old ones played."""

    def change_env(self, make_env: MakeEnv) -> None:
        pass


class KeepsStateInOtherEnvironments(Toy):
    """New environments are shown as if the old episodes went on."""

    def change_env(self, make_env: MakeEnv) -> None:
        state = self.state
        super().change_env(make_env)
        self.state, self.starts = state, np.zeros_like(self.starts)


# Of training


class ZeroStateInTraining(Toy):
    """pytorch/rl#3711: states of shorter trajectories came out as zero and training began there.

    Tianshou's recurrent training, thu-ml/tianshou#793, begins with zeros as well.
    """

    def unroll(self, rollout: Rollout) -> Tensor:
        self.first_state = torch.zeros_like(self.first_state)
        return super().unroll(rollout)


class NoResetInTraining(Toy):
    """pytorch/rl#4474: sequences one after the other, with no start marked between them.

    The Mamba agent of SafeRL-Lab/BenchNetRL (`ppo_mamba.py` at 55b36a1) resets its state in the
    rollout, and scans whole rows in training.
    """

    def unroll(self, rollout: Rollout) -> Tensor:
        return super().unroll(rollout._replace(starts=np.zeros_like(rollout.starts)))


class NoResetBetweenRows(Toy):
    """Stable-Baselines-Team/stable-baselines3-contrib#284 asks whether this can be.

    There rows are laid end to end. Where one begins, so does a sequence, but no start is marked: if
    the state were handed on from sequence to sequence, it would be that of the row before.
    """

    def unroll(self, rollout: Rollout) -> Tensor:
        state, rows = self.first_state[:1], []
        for row in range(rollout.starts.shape[1]):
            hidden = []
            for shown, starts in zip(rollout.observations, rollout.starts, strict=True):
                here = slice(row, row + 1)
                state = self.remember(
                    torch.as_tensor(shown[here]), state, torch.as_tensor(starts[here])
                )
                hidden.append(state)
            rows.append(torch.cat(hidden))
        return torch.stack(rows, 1)


class StatesOfOtherRows(Toy):
    """Stable-Baselines-Team/stable-baselines3-contrib#285 asks whether this can be.

    Sequences of several environments are in one minibatch, with the states of all of them.
    """

    def unroll(self, rollout: Rollout) -> Tensor:
        self.first_state = self.first_state.roll(1, 0)
        return super().unroll(rollout)


class SeesPaddingFirst(Toy):
    """ray-project/ray#19976: shorter sequences were filled up in front, and the memory saw that.

    Stable-Baselines-Team/stable-baselines3-contrib#303 fears noise of padding, too.
    """

    def unroll(self, rollout: Rollout) -> Tensor:
        nothing = torch.zeros(rollout.observations.shape[1:])
        state, hidden = self.first_state, []
        for shown, starts in zip(rollout.observations, rollout.starts, strict=True):
            begins = torch.as_tensor(starts)
            filled = self.remember(nothing, self.reset(state, begins), begins)
            state = torch.where(begins[:, None], filled, state)
            state = self.remember(torch.as_tensor(shown), state, torch.zeros_like(begins))
            hidden.append(state)
        return torch.stack(hidden)


class TimeForRows(Toy):
    """vwxyzjn/cleanrl#83, in review: training took rows for time."""

    def unroll(self, rollout: Rollout) -> Tensor:
        steps, rows = rollout.starts.shape
        mixed = rollout._replace(
            observations=rollout.observations.swapaxes(0, 1).reshape(steps, rows, -1),
            starts=rollout.starts.T.reshape(steps, rows),
        )
        return super().unroll(mixed).reshape(rows, steps, -1).transpose(0, 1)


class ShuffledInTraining(Toy):
    """Steps are shuffled before the memory goes over them."""

    def unroll(self, rollout: Rollout) -> Tensor:
        order = np.random.default_rng(0).permutation(STEPS)
        shuffled = rollout._replace(
            observations=rollout.observations[order], starts=rollout.starts[order]
        )
        return super().unroll(shuffled)[torch.as_tensor(np.argsort(order))]


class DropoutInTraining(Toy):
    """The network is noisy in training, not in the rollout."""

    def unroll(self, rollout: Rollout) -> Tensor:
        hidden = super().unroll(rollout)
        kept = torch.rand(hidden.shape, generator=torch.Generator().manual_seed(0)) < 0.9
        return hidden * kept


class CriticWithoutMemory(Toy):
    """In training, the values are of a memory that was not carried."""

    def evaluate(self, rollout: Rollout) -> Judged:
        hidden = self.remember(
            torch.as_tensor(rollout.observations).flatten(0, 1),
            torch.zeros(rollout.starts.size, HIDDEN),
            torch.ones(rollout.starts.size, dtype=torch.bool),
        )
        values = self.heads(hidden, None)[1].reshape(rollout.starts.shape)
        return super().evaluate(rollout)._replace(values=values)


class NotANumberInTraining(Toy):
    """Not a number is no further from 1 than is allowed, in a careless check."""

    def evaluate(self, rollout: Rollout) -> Judged:
        judged = super().evaluate(rollout)
        return judged._replace(log_probs=judged.log_probs * float("nan"))


class RowsBeforeTime(Toy):
    """What training computes has rows before steps."""

    def evaluate(self, rollout: Rollout) -> Judged:
        log_probs, values = super().evaluate(rollout)
        return Judged(log_probs.T, values.T)

    def train(self, steps: int) -> None:
        pass  # it could not


class NotANumberInTheGradient(Toy):
    """Numbers are right, and the way back goes through the root of nothing."""

    def unroll(self, rollout: Rollout) -> Tensor:
        hidden = super().unroll(rollout)
        return hidden + (hidden - hidden.detach()).sqrt()


class _Gradients(Toy):
    """What training unrolls has the right numbers, and another way back."""

    def before(self, state: Tensor, starts: Tensor) -> Tensor:
        return state

    def unroll(self, rollout: Rollout) -> Tensor:
        state, hidden = self.first_state, []
        for shown, starts in zip(rollout.observations, rollout.starts, strict=True):
            begins = torch.as_tensor(starts)
            kept = self.before(state, begins)
            state = self.net["cell"](torch.as_tensor(shown), kept)
            hidden.append(state)
        return torch.stack(hidden)


class GradientAcrossEpisodes(_Gradients):
    """The numbers are reset, and the gradient goes on through them."""

    def before(self, state: Tensor, starts: Tensor) -> Tensor:
        return state + (self.reset(state, starts) - state).detach()


class NoGradientThroughTime(_Gradients):
    """The memory is detached at every step: nothing is learnt of what it should keep."""

    def before(self, state: Tensor, starts: Tensor) -> Tensor:
        return self.reset(state, starts).detach()


class CriticWithoutGradientThroughTime(Toy):
    """The values are right; only the memory of the actor is learnt by more than one step."""

    def evaluate(self, rollout: Rollout) -> Judged:
        judged, state, values = super().evaluate(rollout), self.first_state, []
        for shown, starts in zip(rollout.observations, rollout.starts, strict=True):
            begins = torch.as_tensor(starts)
            state = self.remember(torch.as_tensor(shown), state.detach(), begins)
            values.append(self.heads(state, None)[1])
        return judged._replace(values=torch.stack(values))


class CountsPadding(Toy):
    """Stable-Baselines-Team/stable-baselines3-contrib#75: means were taken over padding, too.

    ray-project/ray#15523 and ray-project/ray#15800 tell the same of A3C and MARWIL.
    """

    def entropy(self, rollout: Rollout) -> float:
        lengths = [
            len(part)
            for starts in rollout.starts.T
            for part in np.split(starts, np.flatnonzero(starts[1:]) + 1)
        ]
        return super().entropy(rollout) * sum(lengths) / (len(lengths) * max(lengths))


class ForgetsMasksInTraining(Toy):
    """Actions are chosen under masks and judged without them."""

    def evaluate(self, rollout: Rollout) -> Judged:
        return super().evaluate(rollout._replace(masks=None))


class IgnoresMasks(Toy):
    """Masks are taken, and nothing is done with them."""

    def heads(self, hidden: Tensor, masks: Any) -> tuple[Tensor, Tensor]:
        return super().heads(hidden, None)


class LogProbsWithoutMasks(Toy):
    """Actions are drawn under masks; rollout and training both hold what they are without."""

    def rollout(self) -> Rollout:
        rollout = super().rollout()
        with torch.no_grad():
            return rollout._replace(log_probs=self.evaluate(rollout).log_probs.numpy())

    def evaluate(self, rollout: Rollout) -> Judged:
        return super().evaluate(rollout._replace(masks=None))


class PlaysForbiddenActions(Toy):
    """The network knows the masks, and the rollout draws without them."""

    def rollout(self) -> Rollout:
        self.draws = True
        try:
            return super().rollout()
        finally:
            self.draws = False

    def heads(self, hidden: Tensor, masks: Any) -> tuple[Tensor, Tensor]:
        return super().heads(hidden, None if getattr(self, "draws", False) else masks)


class MasksOfTheNextStep(Toy):
    """The rollout keeps the masks of the step after."""

    def rollout(self) -> Rollout:
        rollout = super().rollout()
        if rollout.masks is None:
            return rollout
        return rollout._replace(masks=np.roll(rollout.masks, 1, axis=0))


# Of advantages


class ZeroAtTimeLimits(Toy):
    """openai/spinningup#233, instadeepai/Mava#951: a time limit was taken for an end."""

    def after_time_limit(self, row: int, shown: Any, env: Any) -> float:
        return 0.0


class _InsteadAtTimeLimits(Toy):
    """Where a time limit cuts, another value is taken for that of the last observation."""

    def instead(self, values: Any, last: Any) -> Any:
        raise NotImplementedError

    def advantages(self, rewards: Any, values: Any, ends: Any, last: Any) -> Any:
        taken = self.cut * GAMMA * self.instead(values, last)
        return super().advantages(rewards + taken, values, ends, last)

    def rollout(self) -> Rollout:
        self.cut = np.zeros((STEPS, len(self.envs)))
        return super().rollout()

    def after_time_limit(self, row: int, shown: Any, env: Any) -> float:
        self.cut[(len(env.taken) - 1) % STEPS, row] = 1.0  # all steps are those of rollouts
        return 0.0


class NextEpisodeAtTimeLimits(_InsteadAtTimeLimits):
    """hill-a/stable-baselines#400: the last observation was overwritten by the next first one."""

    def instead(self, values: Any, last: Any) -> Any:
        return np.concatenate([values[1:], last[None]])


class ValueOfTheStepBefore(_InsteadAtTimeLimits):
    """leggedrobotics/rsl_rl#151: the value of the observation before was taken."""

    def instead(self, values: Any, last: Any) -> Any:
        return values


class ForgetsAtTimeLimits(Toy):
    """The last observation is valued with a new memory."""

    def after_time_limit(self, row: int, shown: Any, env: Any) -> float:
        return float(self.step(shown[None], None, np.ones(1, np.bool_), None).values)


class LeaksOverEnds(Toy):
    """Toni-SM/skrl#449: advantages leaked over the ends of episodes."""

    def advantages(self, rewards: Any, values: Any, ends: Any, last: Any) -> Any:
        return super().advantages(rewards, values, np.zeros_like(ends), last)


class DropsLastRewards(Toy):
    """ray-project/ray#57683: what a last step gets was not counted."""

    def advantages(self, rewards: Any, values: Any, ends: Any, last: Any) -> Any:
        return super().advantages(rewards * (1 - ends), values, ends, last)


# Of playing, files and seeds


class DropsStateInPlay(Toy):
    """notadamking/RLTrader#49: the state was not handed on when the agent was tried."""

    def policy(self, turn: Turn, state: Any) -> tuple[Any, Any]:
        return super().policy(turn, None)


class NeverResetsInPlay(Toy):
    """The policy does not look at which rows start."""

    def policy(self, turn: Turn, state: Any) -> tuple[Any, Any]:
        starts = turn.starts & (state is None)
        return super().policy(turn._replace(starts=starts), state)


class SamplesInPlay(Toy):
    """Actions are drawn where the most probable ones were asked for."""

    def policy(self, turn: Turn, state: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            step = self.step(turn.observations, state, turn.starts, turn.masks)
        return torch.multinomial(step.log_probs.exp(), 1)[:, 0].numpy(), step.state


class SavesHalf(Toy):
    """The memory's cell is not in the file."""

    def saved(self) -> dict[str, Tensor]:
        return {name: x for name, x in super().saved().items() if not name.startswith("cell")}


class SavesWhatItBeganWith(Toy):
    """The file holds the network as it was made."""

    def make_network(self, size: int, choices: int, seed: int) -> None:
        super().make_network(size, choices, seed)
        self.first = {name: x.clone() for name, x in super().saved().items()}

    def saved(self) -> dict[str, Tensor]:
        return self.first


class RandomOfItsOwn(Toy):
    """The network is made before anything is seeded."""

    made = 0

    def make_network(self, size: int, choices: int, seed: int) -> None:
        RandomOfItsOwn.made += 1
        super().make_network(size, choices, RandomOfItsOwn.made)


class IgnoresSeed(Toy):
    """The seed is taken and not used."""

    def __init__(self, make_env: MakeEnv, rows: int, seed: int) -> None:
        super().__init__(make_env, rows, 0)


PLANTED: list[tuple[type[Toy], str, str]] = [
    (NormalisesOverRows, "rows", "depends on other rows"),
    (RowsBySlot, "rows", "depends on other rows"),
    (NotANumber, "outputs", "not finite"),
    (LogitsForLogProbs, "outputs", "are not log-probabilities"),
    (ForgetsForOneStep, "state reset", "a step later, the memory is not reset"),
    (NeverResets, "state reset", "not reset where an episode starts"),
    (ResetsAllRows, "state reset", "lose their memory"),
    (ResetsToRemains, "state reset", "neither kept nor that of a new episode"),
    (StartsAfterTheStep, "state reset", "reset after the step, not before it"),
    (LastForFirst, "terminal observations", "in place of the first one of the next"),
    (KeepsOtherActions, "terminal observations", "another action than was taken"),
    (StartsOneLate, "terminal observations", "start of an episode, wrongly"),
    (ZeroStateInRollouts, "rollout memory", "not carried from step to step"),
    (ZeroStateBetweenRollouts, "rollout memory", "not carried into the next one"),
    (ResetsAfterTerminationsOnly, "rollout memory", "something of an earlier episode"),
    (NotANumberInRollouts, "rollout memory", "the value is nan"),
    (StateOfTheLongest, "rollout memory", "not carried into the next one"),
    (StaysWhereItIs, "changed environment", "make_env was called 0 times"),
    (KeepsStateInOtherEnvironments, "changed environment", "after a change of environments"),
    (ZeroStateInTraining, "ratio", "do not begin with the memory they had"),
    (NoResetBetweenRows, "ratio", "do not begin with the memory they had"),
    (StatesOfOtherRows, "ratio", "do not begin with the memory they had"),
    (SeesPaddingFirst, "ratio", "probability ratio is not 1"),
    (TimeForRows, "ratio", "probability ratio is not 1"),
    (NoResetInTraining, "ratio", "not reset as in the rollout"),
    (ShuffledInTraining, "ratio", "probability ratio is not 1"),
    (DropoutInTraining, "ratio", "probability ratio is not 1"),
    (CriticWithoutMemory, "ratio", "other values"),
    (NotANumberInTraining, "ratio", "is not 1 before the first update (nan"),
    (RowsBeforeTime, "ratio", "log_probs of evaluate have shape (3, 16)"),
    (NotANumberInTheGradient, "gradient", "relative error nan"),
    (GradientAcrossEpisodes, "gradient", "reaches into another episode"),
    (NoGradientThroughTime, "gradient", "stops within this one"),
    (CriticWithoutGradientThroughTime, "gradient", "gradient of the values"),
    (CountsPadding, "padding", "is padding counted"),
    (ForgetsMasksInTraining, "masks", "without the masks"),
    (PlaysForbiddenActions, "masks", "takes a forbidden action"),
    (IgnoresMasks, "masks", "forbidden action has the probability"),
    (LogProbsWithoutMasks, "masks", "probabilities that actions have without the masks"),
    (MasksOfTheNextStep, "masks", "not those of the environment"),
    (LeaksOverEnds, "episode ends", "carried over the end"),
    (DropsLastRewards, "episode ends", "the advantage at step"),
    (ZeroAtTimeLimits, "time limits", "nothing is expected after a time limit"),
    (NextEpisodeAtTimeLimits, "time limits", "next episode's first observation"),
    (ValueOfTheStepBefore, "time limits", "the value of the observation before the last"),
    (ForgetsAtTimeLimits, "time limits", "without the memory of its episode"),
    (DropsStateInPlay, "predict", "does not carry its state"),
    (NeverResetsInPlay, "predict", "does not reset its state where an episode starts"),
    (SamplesInPlay, "predict", "does not take the most probable action"),
    (SavesHalf, "files", "something else than what was saved"),
    (SavesWhatItBeganWith, "files", "something else than what was saved"),
    (RandomOfItsOwn, "seed", "the same seed gives other"),
    (IgnoresSeed, "seed", "the seed is not used"),
]
