"""A control of the certificates: agents without memory, trained on three ids.

Their returns have to lie below the upper bounds, and should come near the lower ones. What is
compared is what they get with sampled actions, as a policy without memory may need chance.
"""

import time
from typing import Any

from agents import MemoryPPO, make_vec_env
from memory_envs import evaluate
from memory_envs.certificates import read_certificates
from memory_envs.scoring.makers import from_predict

_IDS = {
    "Stream-DictionaryInference-4x1-v0": 300_000,
    "Tape-DuplicatedInput-Easy-v0": 600_000,
    "Algorithmic/DuplicatedInput-v0": 600_000,
}
_ENVS, _EPISODES, _SEED = 64, 2_000, 0


def control() -> None:
    """Trains and prints, for each id, the bounds and the return of 2,000 fresh episodes."""
    for env_id, steps in _IDS.items():
        start = time.process_time()
        kwargs: dict[str, Any] = {"level_up": False} if env_id.startswith("Algorithmic/") else {}
        env = make_vec_env(env_id, _ENVS, seed=_SEED, **kwargs)
        model = MemoryPPO(
            "MemoryPolicy",
            env,
            n_steps=64,
            gamma=1.0,
            ent_coef=0.01,
            policy_kwargs={"memory": "none"},
            seed=_SEED,
        )
        model.learn(steps)
        found = evaluate(from_predict(model, deterministic=False), env_id, _EPISODES, seed=1)
        bounds = read_certificates()[env_id].memoryless
        error = found.return_std / _EPISODES**0.5
        print(
            f"{env_id}: {found.return_mean:.3f} (standard error {error:.3f}), between "
            f"{bounds.lower:.3f} and {bounds.upper:.3f}; {steps:,} steps, "
            f"{time.process_time() - start:.0f} s of the processor",
            flush=True,
        )
