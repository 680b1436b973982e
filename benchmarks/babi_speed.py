"""How many steps and how many stories a second a joint bAbI training learns from.

The whole training: stories are drawn, laid out and encoded, the network takes its gradient step.
Memories have the sizes and the batch of their presets, and one thread. A step is a word, or one of
its answer's placeholders, at the level of words, and a sentence at that of sentences.
"""

from dataclasses import replace

from agents import make_vec_env
from agents.training.presets import find_preset
from agents.training.recipes import make_model
from benchmarks.babi_runs import BABI
from benchmarks.results import Measurement
from benchmarks.text_speed import Contestant
from benchmarks.timing import calls_per_second, one_torch_thread
from memory_envs.stream.text.babi import LEVELS

MEMORIES = ("mnm-p", "dnc", "lstm")
_REFERENCE = "lstm"
_QUICK_ROWS = 2


def _contestant(memory: str, level: str, quick: bool) -> Contestant:
    recipe = find_preset(BABI, "supervised", memory).recipe
    recipe = replace(recipe, env_kwargs={**recipe.env_kwargs, "level": level})
    if quick:
        recipe = replace(recipe, n_envs=_QUICK_ROWS)
    # The validation set's stories are as those of the training set, and are read sooner.
    env = make_vec_env(BABI, recipe.n_envs, seed=0, **recipe.env_kwargs, split="valid")
    return Contestant(make_model(recipe, "supervised", memory, env, seed=0, device="cpu"))


def measure(repeats: int, seconds: float, quick: bool) -> list[Measurement]:
    """Measures all in turns, level by level, in steps a second and in stories a second.

    Args:
        repeats: Measurements of each.
        seconds: The approximate length of one measurement.
        quick: Whether a few stories are enough.
    """
    found: list[Measurement] = []
    with one_torch_thread():
        for level in LEVELS:
            contestants = {memory: _contestant(memory, level, quick) for memory in MEMORIES}
            advances = [each.advance() for each in contestants.values()]
            rates = calls_per_second(advances, repeats, seconds)
            for unit in ("steps", "stories"):
                for (memory, each), updates in zip(contestants.items(), rates, strict=True):
                    size = each.model.n_envs if unit == "stories" else each.tokens_per_update
                    found.append(
                        Measurement(
                            section=f"bAbI, {level} by {level}: {unit}",
                            name=f"Supervised, {memory}",
                            variant=f"{each.parameters:,} parameters",
                            steps_per_second=[rate * size for rate in updates],
                            is_reference=memory == _REFERENCE,
                        )
                    )
    return found
