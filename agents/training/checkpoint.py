"""Where a training stands, written down so that it goes on as if it had never stopped.

A checkpoint is taken between two rollouts. Beside the model and its optimiser it then holds
everything that the next rollout depends on: all generators, the environments, the last
observations, the memory, the curriculum, and the counters of the callbacks. Nothing is pickled:
arrays are kept as their bytes, whose types and shapes come from the objects that are filled.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.algorithms.base import MemoryAlgorithm
from agents.cells.state import map_state, state_tensors
from agents.environments.vec_env import GymnasiumVecEnv
from agents.saving.model_file import TrainingState
from memory_envs import Curriculum

Array = npt.NDArray[Any]
_EPISODE = {"r": np.float64, "l": np.int64, "t": np.float64}  # what is kept of finished episodes


class Resumable(Protocol):
    """Something with counters, such as a callback."""

    def state_dict(self) -> dict[str, Any]:
        """Returns the counters, ready for JSON."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Returns to a state that `state_dict` gave."""
        ...


@dataclass(frozen=True)
class Standing:
    """Everything whose state a checkpoint holds.

    Attributes:
        model: The model; `learn` is under way, or it has been loaded to go on.
        env: Its environments.
        curriculum: What the environments draw their levels from, if anything.
        counters: The callbacks that count, by name.
    """

    model: MemoryAlgorithm
    env: GymnasiumVecEnv
    curriculum: Curriculum | None
    counters: Mapping[str, Resumable]

    def capture(self) -> TrainingState:
        """Returns the state, to be taken between two rollouts."""
        model = self.model
        tensors = {f"generators.{name}": state for name, state in self._generators().items()}
        tensors |= {f"episodes.{name}": _bytes(array) for name, array in self._episodes().items()}
        environments = self.env.get_state()
        if environments is not None:
            starts: Any = model._last_episode_starts  # SB3 declares it as None
            parts = {**environments, **_observations(model), "starts": starts}
            tensors |= {f"environments.{name}": _bytes(part) for name, part in parts.items()}
            memory = () if model._memory_state is None else model._memory_state
            for index, tensor in enumerate(state_tensors(memory)):
                flat = tensor.detach().cpu().contiguous().reshape(-1)
                tensors[f"memory.{index}"] = flat.view(torch.uint8)
        values = {
            "device": model.device.type,
            "environments": environments is not None,
            "curriculum": None if self.curriculum is None else self.curriculum.state_dict(),
            "counters": {name: counter.state_dict() for name, counter in self.counters.items()},
            "python": random.getstate(),
            "numpy": _numpy_state(),
        }
        return TrainingState(values, tensors)

    def restore(self, state: TrainingState, new_episodes: bool = False) -> str:
        """Returns to a state that `capture` gave.

        Args:
            state: The state.
            new_episodes: Whether the environments shall begin anew, as others than those of the
                state must.

        Returns:
            Why training does not go on to the bit as it would have, if it does not: with new
            episodes, or on a device of another kind.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: If the state is damaged.
        """
        values, tensors = state
        model = self.model
        model._last_obs = self.env.reset()
        model._last_episode_starts = np.ones(self.env.num_envs, np.bool_)
        if self.curriculum is not None and values["curriculum"] is not None:
            self.curriculum.load_state_dict(values["curriculum"])
        for name, counter in self.counters.items():
            counter.load_state_dict(values["counters"][name])
        self._restore_episodes(_named(tensors, "episodes"))
        difference = "the environments cannot go on where they were: new episodes begin"
        if values["environments"] and not new_episodes:
            difference = ""
            self._restore_environments(_named(tensors, "environments"), _named(tensors, "memory"))
        if values["device"] != model.device.type:
            return difference or f"numbers are drawn anew, no more on {values['device']}"
        for name, generator in _named(tensors, "generators").items():
            self._restore_generator(name, generator)
        version, words, gauss = values["python"]
        random.setstate((version, tuple(words), gauss))
        key = np.array(values["numpy"]["state"]["key"], np.uint32)
        inner = {**values["numpy"]["state"], "key": key}
        np.random.set_state({**values["numpy"], "state": inner})  # noqa: NPY002  # SB3 seeds it
        return difference

    # Generators: the model's, and PyTorch's global ones, which a cell or an environment may use

    def _generators(self) -> dict[str, Tensor]:
        model = self.model
        states = {
            "model": model.generator.get_state(),
            "predict": model.predict_generator.get_state(),
            "torch": torch.get_rng_state(),
        }
        if model.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(model.device)
        return states

    def _restore_generator(self, name: str, state: Tensor) -> None:
        model = self.model
        if name == "torch":
            torch.set_rng_state(state)
        elif name == "cuda":
            torch.cuda.set_rng_state(state, model.device)
        else:
            {"model": model.generator, "predict": model.predict_generator}[name].set_state(state)

    # Statistics of the latest episodes, which are logged

    def _episodes(self) -> dict[str, Array]:
        infos, successes = self.model.ep_info_buffer or (), self.model.ep_success_buffer or ()
        columns = {name: [info[name] for info in infos] for name in _EPISODE}
        kept = {name: np.array(columns[name], dtype) for name, dtype in _EPISODE.items()}
        return {**kept, "success": np.array(successes, np.bool_)}

    def _restore_episodes(self, tensors: Mapping[str, Tensor]) -> None:
        model = self.model
        read = {
            name: np.frombuffer(tensors[name].numpy().tobytes(), dtype).tolist()
            for name, dtype in {**_EPISODE, "success": np.bool_}.items()
        }
        rows = zip(*(read[name] for name in _EPISODE), strict=True)
        infos = [dict(zip(_EPISODE, row, strict=True)) for row in rows]
        model.ep_info_buffer = deque(infos, maxlen=model.stats_window_size)
        model.ep_success_buffer = deque(read["success"], maxlen=model.stats_window_size)

    # Environments, and what the model carries on in them

    def _restore_environments(
        self, tensors: Mapping[str, Tensor], memory: Mapping[str, Tensor]
    ) -> None:
        model, env = self.model, self.env
        present = env.get_state()
        if present is None:
            raise ValueError(f"{env.env} cannot return to a state")
        env.set_state({name: _like(tensors[name], part) for name, part in present.items()})
        seen = {name: _like(tensors[name], part) for name, part in _observations(model).items()}
        last: Any = model._last_obs
        model._last_obs = (
            {key: seen[f"obs.{key}"] for key in last} if isinstance(last, dict) else seen["obs"]
        )
        model._last_episode_starts = _like(tensors["starts"], np.ones(env.num_envs, np.bool_))
        if memory:
            parts = (memory[str(index)].clone() for index in range(len(memory)))
            with torch.no_grad():
                first = model.policy.initial_state(env.num_envs)  # type: ignore[operator]  # ours
            model._memory_state = map_state(
                lambda x: next(parts).view(x.dtype).reshape(x.shape).to(x.device), first
            )


def _observations(model: MemoryAlgorithm) -> dict[str, Array]:
    """Returns the arrays of the last observation by name."""
    last: Any = model._last_obs
    if isinstance(last, dict):
        return {f"obs.{key}": array for key, array in last.items()}
    return {"obs": last}


def _numpy_state() -> dict[str, Any]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  # the global one, as SB3 seeds it
    return {**state, "state": {**state["state"], "key": state["state"]["key"].tolist()}}


def _named(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """Returns the tensors of a group by the rest of their names."""
    prefix = f"{group}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _bytes(array: Array) -> Tensor:
    """Returns the bytes of an array of any type; in records, what lies between fields is 0."""
    if array.dtype.names is not None:
        record, array = array, np.zeros(array.shape, array.dtype)
        for name in array.dtype.names or ():
            array[name] = record[name]
    return torch.from_numpy(np.frombuffer(array.tobytes(), np.uint8).copy())


def _like(data: Tensor, present: Array) -> Array:
    """Returns bytes as an array with the type and shape of another one.

    Raises:
        ValueError: If they are too many or too few.
    """
    found = np.frombuffer(data.numpy().tobytes(), present.dtype)
    return found.reshape(present.shape).copy()
