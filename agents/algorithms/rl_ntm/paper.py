"""What an agent as in the paper's section 9 is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

from agents.algorithms.curriculum import CurriculumCallback, make_curriculum_callback
from agents.algorithms.rl_ntm.interfaces import no_tape
from agents.algorithms.rl_ntm.paper_settings import (
    ALGORITHM,
    CURRICULUM,
    N_ENVS,
    POLICY,
    env_kwargs,
)
from agents.algorithms.torch_classes import with_torch_classes
from agents.environments.make_env import make_vec_env


class PaperSetup(NamedTuple):
    """What the constructor takes, and what advances the curriculum.

    Attributes:
        env: The environment that was given, or the one made for the id.
        arguments: The arguments of the algorithm.
        advance: What advances the curriculum of the environment that was made for an id; else None.
    """

    env: Any
    arguments: dict[str, Any]
    advance: CurriculumCallback | None


def paper_setup(env: Any, overrides: dict[str, Any]) -> PaperSetup:
    """Puts together what an agent as in the paper is made of.

    Args:
        env: An environment, or an id; for an id it is made with the curriculum of Table 3.
        overrides: Arguments of the algorithm in place of the paper's. `policy_kwargs` is added to
            the paper's.

    Raises:
        InterfaceError: If the id has no longest input, up to which a curriculum could lead.
    """
    policy, own = with_torch_classes(POLICY), overrides.get("policy_kwargs") or {}
    if "optimizer_class" in own:  # the arguments are those of the paper's
        del policy["optimizer_kwargs"]
    policy.update(own)
    arguments = {"n_envs": N_ENVS, **ALGORITHM, **overrides, "policy_kwargs": policy}
    if not isinstance(env, str):
        return PaperSetup(env, arguments, None)
    kwargs = env_kwargs(env)
    try:
        advance = make_curriculum_callback(CURRICULUM, env, kwargs)
    except ValueError as error:
        raise no_tape(f"{env} has no longest input") from error
    made = make_vec_env(env, arguments["n_envs"], curriculum=advance.curriculum, **kwargs)
    return PaperSetup(made, arguments, advance)
