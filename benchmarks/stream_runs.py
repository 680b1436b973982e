"""The trainings behind streams' results: ``python -m benchmarks.stream_runs PLAN --runs FOLDER``.

See `benchmarks.runs` for how they are trained. The most telling trainings of a plan come first.
"""

from collections.abc import Callable, Iterator

from agents.cells import CELLS
from benchmarks.runs import PresetRun, train_plan

# Those of the figures of Munkhdalai et al. (2019); LSTM+SALU is called salu.
FIGURES = ("mnm-p", "lstm", "salu", "mnm-g")
# The instances of Fig. 2, with the number of seeds.
DICTIONARIES = {"4x1": 3, "8x4": 3, "12x8": 1, "16x12": 1}
SEQUENCES = {"double": "Stream-DoubleCopy-v0", "sort": "Stream-PrioritySort-v0"}
# Steps of a stream, where all have the same number.
STEPS = {
    "Stream-DictionaryInference-4x1-v0": 19,
    "Stream-DictionaryInference-8x4-v0": 89,
    "Stream-DictionaryInference-12x8-v0": 233,
    "Stream-DictionaryInference-16x12-v0": 441,
    "Stream-DoubleCopy-v0": 151,
    "Stream-PrioritySort-v0": 37,
}
UPDATES, BATCH = 5000, 32
# The NTM paper's, trained to a length of 20 and tested to 120.
COPY = "Stream-Copy-v0"
COPIERS = ("lstm", "ntm", "dnc", "mnm-p")
COPY_SIZES = {
    "ntm": 'policy.memory_kwargs={"hidden_size":100,"memory_size":128,"word_size":20}',
    "dnc": 'policy.memory_kwargs={"hidden_size":100,"memory_size":128,"word_size":20}',
}
RECALL, DICTIONARY = "Stream-AssociativeRecall-v0", "Stream-DictionaryInference-4x1-v0"
BY_REWARD = (RECALL, DICTIONARY, "Stream-DictionaryInference-8x4-v0", COPY)
BEST = ("mnm-p", "lstm", "gated-delta")
LOOK_STEPS = 300_000
PLANS = ("dictionary", "variants", "sequences", "copy", "by-reward", "first-look")


def _steps(env: str) -> str:
    return f"timesteps={UPDATES * BATCH * STEPS[env]}"


def _dictionary() -> Iterator[PresetRun]:
    for seed in range(3):
        for size, seeds in DICTIONARIES.items():
            for memory in FIGURES:
                if seed < seeds:
                    env = f"Stream-DictionaryInference-{size}-v0"
                    name, changes = f"{size}-{memory}-{seed}", [_steps(env)]
                    yield PresetRun(name, env, "supervised", memory, seed, changes, stop_at=1.0)


def _variants() -> Iterator[PresetRun]:
    """What the paper's four had not learnt with its settings: a rate that ends, more updates."""
    ending, longer = "a rate that goes to 0", "ten times as long"
    for memory in ("mnm-p", "mnm-g"):
        env = "Stream-DictionaryInference-8x4-v0"
        changes = [_steps(env), 'algorithm.learning_rate={"start":0.001,"end":0.0}']
        name = f"8x4-{memory}-ending-0"
        yield PresetRun(name, env, "supervised", memory, 0, changes, ending, stop_at=1.0)
    for memory in ("lstm", "salu"):
        changes = [f"timesteps={10 * UPDATES * BATCH * STEPS[DICTIONARY]}"]
        name = f"4x1-{memory}-longer-0"
        yield PresetRun(name, DICTIONARY, "supervised", memory, 0, changes, longer, stop_at=1.0)


def _sequences() -> Iterator[PresetRun]:
    for name, env in SEQUENCES.items():
        for memory in FIGURES:
            changes = [_steps(env)]
            yield PresetRun(
                f"{name}-{memory}-0", env, "supervised", memory, 0, changes, stop_at=1.0
            )


def _copy() -> Iterator[PresetRun]:
    # The notebook's own: one stream an update, 500 updates, Adam with 0.01, and its sizes.
    sizes = '{"variant":"notebook","hidden_size":64,"memory_size":128,"word_size":20}'
    notebook = ["timesteps=2500", "n_envs=1", "algorithm.learning_rate=0.01"]
    notebook += [f"policy.memory_kwargs={sizes}", "policy.encoder_size=null"]
    echo = "benchmarks.echo:Stream-Echo-v0"
    yield PresetRun("echo-ntm-0", echo, "supervised", "ntm", 0, notebook)
    for memory in COPIERS:
        changes = ["timesteps=8000000", "policy.encoder_size=null"]
        changes += [COPY_SIZES[memory]] if memory in COPY_SIZES else []
        yield PresetRun(f"copy-{memory}-0", COPY, "supervised", memory, 0, changes)


def _by_reward() -> Iterator[PresetRun]:
    for env in BY_REWARD:
        for memory in BEST:
            yield PresetRun(f"{_short(env)}-{memory}-0", env, "ppo", memory, 0, stop_at=1.0)


def _looks() -> Iterator[PresetRun]:
    changes = [f"timesteps={LOOK_STEPS}", "policy.memory_kwargs={}"]
    for algorithm in ("supervised", "ppo"):
        for env in (DICTIONARY, RECALL):
            for memory in CELLS:
                name = f"{_short(env)}-{algorithm}-{memory}-0"
                yield PresetRun(name, env, algorithm, memory, 0, changes)


def _short(env: str) -> str:
    return env.removeprefix("Stream-").removesuffix("-v0").lower()


def plan(name: str) -> list[PresetRun]:
    """Returns the trainings of a plan, the most telling first."""
    makers: dict[str, Callable[[], Iterator[PresetRun]]] = {
        "dictionary": _dictionary,
        "variants": _variants,
        "sequences": _sequences,
        "copy": _copy,
        "by-reward": _by_reward,
        "first-look": _looks,
    }
    return list(makers[name]())


def main() -> None:
    """Trains what is not trained yet."""
    train_plan(__doc__.splitlines()[0], PLANS, plan)


if __name__ == "__main__":
    main()
