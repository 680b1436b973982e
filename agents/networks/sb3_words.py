"""Stable-Baselines3's words that are not ours, and what they are called here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from memory_envs.arguments import allowed_names, argument_names, shown


class Word(NamedTuple):
    """A word of Stable-Baselines3 or sb3-contrib.

    Attributes:
        ours: What to write in its place; ``{value}`` stands for what was given.
        means_nothing: Values for which ours is always so; they are accepted and change nothing.
    """

    ours: str
    means_nothing: tuple[Any, ...] = ()


_CRITIC = (
    "critic_memory: 'own' for an encoder and an LSTM of the critic's own, 'detached' for a shared "
    "LSTM that the critic does not train, 'shared' for one that both train"
)
_EXPLORATION = "False: exploration does not depend on the state"
_SCHEDULE = "nothing: learning_rate of the algorithm is the schedule"

POLICY_WORDS: dict[str, Word] = {
    "lr_schedule": Word(_SCHEDULE),
    "lstm_hidden_size": Word("memory_kwargs={{'hidden_size': {value}}}"),
    "lstm_kwargs": Word("memory_kwargs, the arguments of the cell", (None, {})),
    "n_lstm_layers": Word("1, or as memory a cell of your own with more layers", (1,)),
    "shared_lstm": Word(_CRITIC),
    "enable_critic_lstm": Word(_CRITIC),
    "share_features_extractor": Word(_CRITIC),
    "use_sde": Word(_EXPLORATION, (False,)),
    "full_std": Word("True, which means nothing here", (True,)),
    "use_expln": Word("False: log_std is the logarithm of the standard deviation", (False,)),
    "squash_output": Word("False: actions are clipped to the bounds of their space", (False,)),
    "normalize_images": Word(
        "True: images of bytes are divided by 255, but an encoder of your own (encoder=) sees the "
        "bytes",
        (True,),
    ),
    "activation": Word("activation_fn, a class such as torch.nn.Tanh"),
}

ALGORITHM_WORDS: dict[str, Word] = {
    "use_sde": Word(_EXPLORATION, (False,)),
    "sde_sample_freq": Word("-1: exploration does not depend on the state", (-1,)),
    "rollout_buffer_class": Word("None: the buffer is ours, as it knows of the memory", (None,)),
    "rollout_buffer_kwargs": Word("None: the buffer has no such arguments", (None, {})),
}


def refuse_unknown(
    owner: Callable[..., Any], unknown: Mapping[str, object], words: Mapping[str, Word]
) -> None:
    """Refuses arguments that a constructor does not have.

    Args:
        owner: The class whose constructor was called.
        unknown: The arguments that its signature does not name.
        words: What Stable-Baselines3's words are called here.

    Raises:
        TypeError: For the first of them that means something; says what to write in its place.
    """
    for name, value in unknown.items():
        if name in words:
            word = words[name]
            if not any(type(value) is type(same) and value == same for same in word.means_nothing):
                ours = word.ours.format(value=shown(value))
                raise TypeError(f"{name} is {shown(value)}; allowed: {ours}")
        else:
            allowed = allowed_names(name, argument_names(owner))
            raise TypeError(f"argument of {owner.__name__} is {name!r}; {allowed}")
