"""The settings of the paper's section 9: those of the preset `rl_ntm-paper`."""

from __future__ import annotations

from typing import Any, NamedTuple

from agents.algorithms.curriculum import CurriculumCallback
from agents.algorithms.rl_ntm.interfaces import no_tape
from agents.algorithms.settings import make_curriculum, policy_arguments, read_presets
from agents.environments.make_env import make_vec_env

_NAME = "rl_ntm-paper/*"


class PaperSetup(NamedTuple):
    """What an agent as in the paper is made of.

    Attributes:
        env: the environment that was given, or the one made for the id.
        arguments: of the algorithm.
        advance: advances the curriculum of the environment that was made for an id; else None.
    """

    env: Any
    arguments: dict[str, Any]
    advance: CurriculumCallback | None


def paper_setup(env: Any, overrides: dict[str, Any]) -> PaperSetup:
    """Read the preset.

    Args:
        env: an environment, or an id; for an id it is made with the curriculum of Table 3.
        overrides: arguments of the algorithm in place of the paper's. `policy_kwargs` is added to
            the paper's.

    Raises:
        InterfaceError: if the id has no longest input, up to which a curriculum could lead.
    """
    presets = read_presets("tape.json")
    entry = presets.get(env, {}) if isinstance(env, str) else {}
    recipe = entry.get(_NAME, presets["*"][_NAME])
    policy, own = policy_arguments(recipe["policy"]), overrides.get("policy_kwargs") or {}
    if "optimizer_class" in own:  # the arguments are those of the paper's
        del policy["optimizer_kwargs"]
    policy.update(own)
    arguments = {
        "n_envs": recipe["n_envs"],
        **recipe["algorithm"],
        **overrides,
        "policy_kwargs": policy,
    }
    if not isinstance(env, str):
        return PaperSetup(env, arguments, None)
    try:
        curriculum = make_curriculum(recipe["curriculum"], env, recipe["env_kwargs"])
    except ValueError as error:
        raise no_tape(f"{env} has no longest input") from error
    advance = CurriculumCallback(curriculum, recipe["curriculum"]["error"])
    made = make_vec_env(env, arguments["n_envs"], curriculum=curriculum, **recipe["env_kwargs"])
    return PaperSetup(made, arguments, advance)
