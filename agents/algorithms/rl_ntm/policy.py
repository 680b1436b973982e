"""The policy of RL-NTM: a controller that plays, and the baselines that help it to learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor
from typing_extensions import Never

from agents.algorithms.rl_ntm.baseline import OfflineBaseline
from agents.algorithms.rl_ntm.controller import Controller, ControllerState, Scores
from agents.algorithms.rl_ntm.interfaces import InterfaceError, find_interfaces
from agents.algorithms.time_baseline import TimeBaseline
from agents.cells.state import where_state
from agents.networks.distributions import Categorical, DiscreteHead
from agents.networks.inputs import check_symbols
from agents.networks.sb3_words import refuse_unknown
from memory_envs.arguments import check_flag, check_integer, check_number, check_or_none

MAX_STEPS = 2000  # of a training episode that `TimeBaseline` tells apart


class RLNTMPolicy(BasePolicy):
    """The controller with its interfaces, as an SB3 policy.

    Args:
        observation_space: Observation space of a tape environment.
        action_space: Action space of a tape environment.
        controller: "lstm", "direct_access" or "feedforward".
        hidden_size: Units of the controller.
        memory: Whether there is a memory tape; None for where the environment has one.
        memory_size: Cells of the memory tape, which is circular.
        memory_radius: Cells that are read on either side of the memory head.
        write_radius: Cells that are written on either side of it; None for as many as are read.
        inverse_temperature: Factor by which the logits of the moves are multiplied.
        init_std: Standard deviation of the Gaussian that all parameters start from.
        free_symbols: Whether the controller scores and writes content symbols by itself too, beside
            the shortcuts of `direct_access`.
        gain: See `Controller`.
        mark: See `Controller`.
        blend: See `Controller`.
        baseline_size: Units of the offline baseline.
        **unknown: Nothing; the error says which arguments there are.

    Raises:
        InterfaceError: If the spaces are not those of a tape environment, or the memory is too
            small.
        TypeError, ValueError: If another argument is not valid.
    """

    revision: ClassVar[int] = 1  # grows when the same tensors come to mean something else

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        controller: str = "direct_access",
        hidden_size: int = 25,
        memory: bool | None = None,
        memory_size: int = 30,
        memory_radius: int = 0,
        write_radius: int | None = None,
        inverse_temperature: float = 1.0,
        init_std: float = 0.1,
        free_symbols: bool = True,
        gain: float | None = 1.0,
        mark: bool = True,
        blend: bool = True,
        baseline_size: int = 25,
        **unknown: Never,
    ) -> None:
        refuse_unknown(RLNTMPolicy, unknown, {})
        check_number("inverse_temperature", inverse_temperature, 0.0, above=True)
        check_integer("baseline_size", baseline_size, 1)
        check_or_none(check_flag, "memory", memory)
        super().__init__(observation_space, action_space)
        self.interfaces = find_interfaces(
            observation_space, action_space, memory, memory_size, memory_radius, write_radius
        )
        self.inverse_temperature = inverse_temperature
        self.controller = Controller(
            self.interfaces, controller, hidden_size, init_std, free_symbols, gain, mark, blend
        )
        self.baseline = OfflineBaseline(self.controller, baseline_size, init_std)
        self.time_baseline = TimeBaseline(MAX_STEPS)
        self.move_head = DiscreteHead(spaces.MultiDiscrete(self.interfaces.move_sizes))

    def resize_memory(self, cells: int) -> None:
        """Gives the memory tape another length; it has no parameters.

        Args:
            cells: Number of cells, at least that of the larger window.

        Raises:
            InterfaceError: If they are fewer.
        """
        if not self.interfaces.memory_cells:
            return
        window = max(self.interfaces.read_window, self.interfaces.write_window)
        if cells < window:
            raise InterfaceError(f"cells is {cells}; allowed: from {window} on, the window")
        self.interfaces = replace(self.interfaces, memory_cells=cells)
        self.controller.interfaces = self.interfaces

    def moves(self, scores: Scores, masks: Tensor | None) -> Categorical:
        """Returns the distribution of the moves.

        Args:
            scores: Scores of one step, or of all.
            masks: Choices that are allowed, ``(..., sum(move_sizes))`` bool.
        """
        distribution = self.move_head(scores.moves * self.inverse_temperature, masks)
        assert isinstance(distribution, Categorical)
        return distribution

    def symbols_seen(self, obs: Tensor) -> Tensor:
        """Returns the input windows of observations, ``(B, input_cells)`` int64."""
        return obs[:, : self.interfaces.input_cells].long()

    def to_env(self, moves: Tensor, symbols: Tensor) -> npt.NDArray[np.int64]:
        """Returns what the environment takes, from moves ``(B, moves)`` and symbols ``(B,)``."""
        return self.interfaces.env_actions(moves.cpu().numpy(), symbols.cpu().numpy())

    @torch.no_grad()
    def predict(  # type: ignore[override]  # a state of its own kind
        self,
        observation: npt.NDArray[Any] | dict[str, npt.NDArray[Any]],
        state: Any = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: npt.NDArray[np.bool_] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[npt.NDArray[Any], ControllerState]:
        """Chooses actions for observations, and carries tape, heads and moves.

        Args:
            observation: Observations, ``(cells,)`` or ``(B, cells)``.
            state: What the last call returned; None at the start.
            episode_start: ``(B,)`` bool, True where an episode starts.
            deterministic: Whether to take the most probable moves; the symbol always is.
            action_masks: The environment's masks, flat over its sub-actions, or None.
            generator: Source of randomness of the moves; None for PyTorch's own.

        Returns:
            Actions, and the state to hand back next time.

        Raises:
            ValueError: If an observation is not of the policy's space.
        """
        self.set_training_mode(False)
        check_symbols(self.observation_space, observation)
        obs = np.atleast_2d(np.asarray(observation))
        symbols = self.symbols_seen(torch.as_tensor(obs, device=self.device))
        initial = self.controller.initial_state(len(obs))
        before: ControllerState = initial if state is None else state
        if state is not None and episode_start is not None:
            starts = torch.as_tensor(np.asarray(episode_start, np.bool_), device=self.device)
            before = where_state(starts, initial, before)
        scores, after = self.controller(symbols, before)
        distribution = self.moves(scores, self._allowed(action_masks))
        moves = distribution.mode() if deterministic else distribution.sample(generator)
        emitted = scores.symbols.argmax(dim=1)
        actions = self.to_env(moves, emitted)
        single = np.asarray(observation).ndim == 1
        return actions[0] if single else actions, self.controller.moved(after, moves)

    @torch.no_grad()
    def trace(
        self,
        observation: npt.NDArray[Any],
        before: ControllerState | None,
        after: ControllerState,
        action_masks: npt.NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """Returns what there was to see in a step that `predict` took; see `trace.watcher`.

        Args:
            observation: Observations, ``(B, cells)``.
            before: The state before the step; None at the start.
            after: The state after it.
            action_masks: The environment's masks, or None.
        """
        symbols = self.symbols_seen(torch.as_tensor(observation, device=self.device))
        state = self.controller.initial_state(len(symbols)) if before is None else before
        scores, _ = self.controller(symbols, state)
        moves = self.moves(scores, self._allowed(action_masks)).probs()
        emitted = scores.symbols.softmax(dim=1).unsqueeze(1)
        size = max(moves.shape[2], emitted.shape[2])
        parts = [F.pad(part, (0, size - part.shape[2])) for part in (moves, emitted)]
        # What a cell holds in the blank's place is never emitted.
        seen = {
            "probabilities": torch.cat(parts, dim=1),
            "memory_tape": after.memory[..., : self.interfaces.outputs],
            "memory_change": (after.memory - state.memory).abs().amax(dim=2),
        }
        if self.controller.recurrent:
            seen["output"] = after.hidden
        if self.interfaces.memory_cells:
            seen["memory_head"] = state.head
            seen["memory_move"] = (after.moves - self.controller.move_rows)[:, 1]
            # It reads before it writes; what it writes is added to the cells around the head.
            near = self.controller.read_cells(state.head)
            seen["read_values"] = state.memory.flatten(0, 1)[near]
            near = self.controller.written_cells(state.head)
            seen["write_values"] = (after.memory - state.memory).flatten(0, 1)[near]
        return seen

    def _allowed(self, action_masks: npt.NDArray[np.bool_] | None) -> Tensor | None:
        """The moves that the environment's masks allow."""
        if action_masks is None:
            return None
        allowed = self.interfaces.move_masks(np.atleast_2d(np.asarray(action_masks, np.bool_)))
        return torch.as_tensor(allowed, device=self.device)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        raise NotImplementedError("predict carries the state")
