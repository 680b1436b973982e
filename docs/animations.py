"""Draws docs/images/environments/*.gif: optimal play of an episode, a moving picture for each task.

The pictures are what ``env.render()`` gives with ``render_mode="rgb_array"``. Run it after changing
what is drawn: ``python docs/animations.py [TASK ...]``. A test compares.
"""

import os
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from PIL import Image
from tasks import PICTURES, Task, tasks

from memory_envs.oracles import oracle

_SEED, _MOST_FRAMES, _COLOURS = 1, 48, 128
_FRAME, _LAST = 450, 2500  # milliseconds
# Episodes that are long enough to show the task, and short enough to be watched.
_LENGTHS: dict[str, dict[str, Any]] = {
    "tape": {"min_length": 5, "max_length": 6},
    "algorithmic": {"starting_min_length": 4},
    "maze": {},
    "stream": {"min_length": 4, "max_length": 4},
}
_OTHER_LENGTHS: dict[str, dict[str, Any]] = {
    "tape-repeatcopy": {"min_length": 3, "max_length": 3},
    "tape-repeatcopyforward": {"min_length": 3, "max_length": 3},
    "stream-repeatcopy": {"min_length": 3, "max_length": 3, "repeats": 3},
    "stream-dynamicngrams": {"min_length": 20, "max_length": 20},
    "stream-prioritysort": {"min_length": 6, "max_length": 6, "top": 4},
    "stream-logic": {},
    "stream-tagging": {},
    "stream-sentences": {},
    "stream-babi": {},
    "stream-dictionaryinference": {},
}


def path(task: Task) -> Path:
    """Returns the file of a task's picture."""
    return PICTURES / f"{task.slug}.gif"


def frames(task: Task) -> list[npt.NDArray[np.uint8]]:
    """Plays an episode, at most its first steps, and returns its pictures, all of one size."""
    arguments = _OTHER_LENGTHS.get(task.slug, _LENGTHS[task.family])
    env = gym.make(task.shown.id, render_mode="rgb_array", **arguments)
    env.reset(seed=_SEED)
    pictures, over = [_picture(env)], False
    while not over and len(pictures) < _MOST_FRAMES:
        _, _, terminated, truncated, _ = env.step(oracle(env))
        over = terminated or truncated
        pictures.append(_picture(env))
    env.close()
    return _without_margin(pictures)


def _picture(env: gym.Env[Any, Any]) -> npt.NDArray[np.uint8]:
    return np.asarray(env.render(), dtype=np.uint8)


def _without_margin(pictures: list[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
    """Cuts off what is empty on the right in all pictures, such as room for longer inputs."""
    stack = np.stack(pictures)
    empty = (stack == stack[:, :1, -1:]).all(axis=(0, 1, 3))
    used = int(np.flatnonzero(~empty)[-1]) + 1
    return list(stack[:, :, : min(used + 18, stack.shape[2])])


def write(task: Task) -> None:
    """Writes a task's picture, whole or not at all."""
    images = [Image.fromarray(frame) for frame in frames(task)]
    # One palette for all frames: what does not change between them then costs no bytes.
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in _commonest(images) for part in colour])
    indexed = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    draft = path(task).with_suffix(".tmp")
    indexed[0].save(
        draft,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[_FRAME] * (len(indexed) - 1) + [_LAST],
        loop=0,
        optimize=True,
    )
    os.replace(draft, path(task))


def _commonest(images: list[Image.Image]) -> list[tuple[int, ...]]:
    """Returns the colours of most pixels; rarer ones are edges of letters."""
    pixels = np.concatenate([np.asarray(image).reshape(-1, 3) for image in images])
    numbers, counts = np.unique(pixels @ [1 << 16, 1 << 8, 1], return_counts=True)
    commonest = numbers[np.argsort(-counts, kind="stable")[:_COLOURS]].tolist()
    return [(number >> 16, number >> 8 & 255, number & 255) for number in commonest]


def main(names: list[str]) -> None:
    """Writes the pictures of all tasks, or of those whose files are named."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for task in tasks():
        if not names or task.slug in names:
            write(task)


if __name__ == "__main__":
    main(sys.argv[1:])
