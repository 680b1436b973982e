"""Recipes for streams, to learn them by reward and, with `Supervised`, from the right answers.

The latter are those of Appendix A and Table 2 of Munkhdalai et al. (2019): 32 streams an update,
Adam with 0.001, 100 hidden units, one head. The paper's symbols are embedded in 100 numbers.
"""

from dataclasses import replace
from typing import Any

from agents.training.presets import general
from agents.training.recipes import Recipe, linear

_POLICY: dict[str, Any] = {"encoder_size": 100, "net_arch": []}
SUPERVISED = Recipe(
    timesteps=20_000_000, n_envs=32, algorithm={"learning_rate": 0.001}, policy=_POLICY
)
# What is answered changes nothing of what comes, so nothing later is owed to it: the discount is 0.
# Rollouts are whole streams where all are of a length, so that no gradient through one is cut.
PPO = replace(
    general.PPO,
    timesteps=6_000_000,
    n_envs=128,
    algorithm=general.PPO.algorithm
    | {"n_steps": 64, "batch_size": 2048, "gamma": 0.0, "ent_coef": 0.01},
    policy=_POLICY | {"critic_memory": "detached"},
)


def _whole_streams(n_steps: int) -> dict[str, Recipe]:
    sizes = {"n_steps": n_steps, "batch_size": 32 * n_steps}
    recipe = replace(PPO, algorithm=PPO.algorithm | sizes)
    return {"ppo/gated-delta": recipe, "ppo/*": recipe}


def _with_memory(**arguments: Any) -> Recipe:
    return replace(SUPERVISED, policy=_POLICY | {"memory_kwargs": arguments})


_SIZES = {"hidden_size": 100}
_MNM = _with_memory(**_SIZES, memory_width=100)


def _look_up_table(steps: int) -> dict[str, Recipe]:
    """The paper's table is unbounded: here it has an entry for every step of a stream."""
    recipe = _with_memory(**_SIZES, key_size=100, value_size=100, memory_size=steps)
    return {"supervised/salu": recipe}


_BY_GRADIENTS = {
    "supervised/lstm": _with_memory(**_SIZES),
    "supervised/mnm-g": _MNM,
    "supervised/mnm-p": _MNM,
    **_look_up_table(441),  # as many as the longest dictionary has
    "supervised/*": SUPERVISED,
}


# Appendix A and Table 2 for bAbI, but at the level of sentences, where steps are a sixth as many.
_BABI = Recipe(
    timesteps=70_000_000,  # a hundred times as many as all stories of the training set have
    n_envs=128,
    env_kwargs={"level": "sentence"},
    algorithm={"learning_rate": 0.001},
    policy={
        "encoder": "SentenceEncoder",
        "encoder_kwargs": {"size": 256, "layer_norm": True},
        "net_arch": [],
        "memory_kwargs": {"hidden_size": 256},
    },
    evaluation_kwargs={"split": "valid"},
)


def _babi_with(**arguments: Any) -> Recipe:
    return replace(_BABI, policy=_BABI.policy | {"memory_kwargs": arguments})


_MNM_OF_BABI = _babi_with(hidden_size=256, memory_width=100, num_heads=3)
_BABI_RECIPES = {
    "supervised/mnm-p": _MNM_OF_BABI,
    "supervised/mnm-g": _MNM_OF_BABI,
    "supervised/lstm": _BABI,
    # As the DNC's authors had it (Graves et al. 2016).
    "supervised/dnc": _babi_with(hidden_size=256, memory_size=256, word_size=64, num_read_heads=4),
    # The paper's table has no end; here it has one for all but the longest stories word by word.
    "supervised/salu": _babi_with(hidden_size=256, key_size=100, value_size=100, memory_size=512),
    "supervised/*": _babi_with(),
}
# Of one task alone a smaller network is enough. Both learn what the right answers are, one by
# gradients, one by reward: else they are alike.
_ONE_TASK_POLICY = _BABI.policy | {
    "encoder_kwargs": {"size": 64, "layer_norm": True},
    "memory_kwargs": {},
}
_ONE_TASK = replace(
    _BABI,
    timesteps=10_000_000,
    n_envs=32,
    algorithm={"learning_rate": linear(0.003, 0.0)},
    policy=_ONE_TASK_POLICY,
)
_ONE_TASK_BY_REWARD = replace(
    PPO,
    timesteps=_ONE_TASK.timesteps,
    n_envs=64,
    env_kwargs=_BABI.env_kwargs,
    # Of task 1, eight whole stories; of others, few are cut.
    algorithm=PPO.algorithm | {"n_steps": 120, "batch_size": 16 * 120},
    policy=_ONE_TASK_POLICY | {"critic_memory": "detached"},
    evaluation_kwargs=_BABI.evaluation_kwargs,
)
_ONE_TASK_RECIPES = {
    "supervised/gated-delta": _ONE_TASK,
    "supervised/*": _ONE_TASK,
    "ppo/gated-delta": _ONE_TASK_BY_REWARD,
    "ppo/*": _ONE_TASK_BY_REWARD,
}

# Tables 1 to 3 of Barrett, *Learning to Remember*; the steps are what an hour of a core allows.
MANN_RL = Recipe(timesteps=20_000_000, n_envs=256)
_TAGGING = replace(
    MANN_RL,
    algorithm={"history": 16},
    policy={"memory_size": 175},
    evaluation_kwargs={"split": "dev"},
)
_SENTENCES = replace(
    MANN_RL,
    algorithm={
        "history": 10,
        "settle": 6,
        "memory_iterations": 1,
        "memory_learning_rate": 1e-7,
    },
    policy={"memory_size": 1024, "embedding_size": 96, "hidden_layers": 2},
)


def _mann_rl(recipe: Recipe) -> dict[str, Recipe]:
    return {f"mann_rl/{memory_net}": recipe for memory_net in ("input_output", "input")}


RECIPES = {
    "Stream-bAbI-v0": _BABI_RECIPES,
    **{f"Stream-bAbI-QA{number}-v0": _ONE_TASK_RECIPES for number in range(1, 21)},
    "Stream-Logic-v0": _mann_rl(replace(MANN_RL, evaluation_kwargs={"split": "dev"})),
    "Stream-Tagging-v0": _mann_rl(_TAGGING),
    "Stream-Sentences-v0": _mann_rl(_SENTENCES),
    "Stream-DictionaryInference-4x1-v0": _whole_streams(4 * 19) | _look_up_table(19),
    "Stream-DictionaryInference-8x4-v0": _whole_streams(89) | _look_up_table(89),
    "Stream-DictionaryInference-12x8-v0": _look_up_table(233),
    "Stream-DoubleCopy-v0": _look_up_table(151),
    "Stream-PrioritySort-v0": _look_up_table(37),
    "*": {
        "ppo/lstm": PPO,
        "ppo/*": PPO,
        "a2c/*": general.A2C,
        "reinforce/*": general.REINFORCE,
        **_BY_GRADIENTS,
        **_mann_rl(MANN_RL),
    },
}
