"""The trainings behind the texts' results: ``python -m benchmarks.text_runs PLAN --runs FOLDER``.

See `benchmarks.runs` for how they are trained. `tasks` are the three of Barrett, *Learning to
Remember*, with its Tables 1 to 3, and `next-loss` the same where a step of the memory is paid for
the loss of the step after, as in the paper's code; in `ending`, both learning rates go down to 0
besides. `question` is an experiment: what does learning by Q-learning add to a memory-net that
stays as it began, and how far from gradients through time is it? Everything else is equal, the
number of tokens included. The most telling trainings of a plan come first.
"""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.runs import PresetRun, train_plan

LOGIC, TAGGING, SENTENCES = (f"Stream-{name}-v0" for name in ("Logic", "Tagging", "Sentences"))
# What some 45 minutes of a core are enough for, at most.
TASKS = {LOGIC: 40_000_000, TAGGING: 40_000_000, SENTENCES: 4_000_000}
# What some 6 minutes of a core are enough for, in the slowest of the question's trainings.
BUDGETS = {LOGIC: 5_000_000, TAGGING: 5_000_000}
SEEDS = 3
# What MANN-RL has, for a training through time: as many streams an update as it has columns, its
# memory, and its action network but for the batch norm; the learning rate is that of streams.
_THROUGH_TIME = [
    "n_envs=16",
    "policy.encoder_size=null",
    "policy.activation_fn=ReLU",
    'evaluation_kwargs={"split":"dev"}',
]
_NEXT_LOSS = "algorithm.next_loss=true"
# From where they are in the paper, for logic and tagging.
_ENDING = [
    'algorithm.learning_rate={"start":0.0001,"end":0.0}',
    'algorithm.memory_learning_rate={"start":0.00001,"end":0.0}',
]
# What each is called, and is: algorithm, memory, and changes of the preset.
_KINDS: dict[str, tuple[str, str, list[str]]] = {
    "Q-learning": ("mann_rl", "input_output", []),
    "Q-learning by the next loss": ("mann_rl", "input_output", [_NEXT_LOSS]),
    "fixed": ("mann_rl", "input_output", ["algorithm.memory_iterations=0"]),
    "through time": ("supervised", "memory-net", _THROUGH_TIME),
    "without outputs": ("mann_rl", "input", []),
    "no memory": ("supervised", "none", _THROUGH_TIME),
}
_WIDTHS = {LOGIC: 59, TAGGING: 225}  # of the hidden layer: an input and the memory
_MEMORIES = {LOGIC: 48, TAGGING: 175}
PLANS = ("tasks", "next-loss", "ending", "question")


def short(env: str) -> str:
    """Returns the name of a task, in small letters."""
    return env.removeprefix("Stream-").removesuffix("-v0").lower()


def _tasks(*further: str) -> Iterator[PresetRun]:
    for env, timesteps in TASKS.items():
        # Of tags nobody gets all right.
        stop_at = None if env == TAGGING else 1.0
        changes = [f"timesteps={timesteps}", *further]
        name = f"{short(env)}-0"
        yield PresetRun(name, env, "mann_rl", "input_output", 0, changes, stop_at=stop_at)


def _ending() -> Iterator[PresetRun]:
    return (run for run in _tasks(_NEXT_LOSS, *_ENDING) if run.env != SENTENCES)


def _question() -> Iterator[PresetRun]:
    for seed in range(SEEDS):
        for env in BUDGETS:
            for kind in _KINDS:
                yield _asked(env, kind, seed)


def _asked(env: str, kind: str, seed: int) -> PresetRun:
    """Returns a training of the question."""
    algorithm, memory, changes = _KINDS[kind]
    changes = [f"timesteps={BUDGETS[env]}", *changes]
    if algorithm == "supervised":
        changes.append(f"policy.net_arch=[{_WIDTHS[env]}]")
    if memory == "memory-net":
        changes.append(f"policy.memory_kwargs.memory_size={_MEMORIES[env]}")
    name = f"{short(env)}-{kind.replace(' ', '-').lower()}-{seed}"
    return PresetRun(name, env, algorithm, memory, seed, changes, kind)


def plan(name: str) -> list[PresetRun]:
    """Returns the trainings of a plan, the most telling first."""
    makers: dict[str, Callable[[], Iterator[PresetRun]]] = {
        "tasks": _tasks,
        "next-loss": partial(_tasks, _NEXT_LOSS),
        "ending": _ending,
        "question": _question,
    }
    return list(makers[name]())


def main() -> None:
    """Trains what is not trained yet."""
    train_plan(__doc__.splitlines()[0], PLANS, plan)


if __name__ == "__main__":
    main()
