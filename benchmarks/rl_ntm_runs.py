"""The trainings behind RL-NTM's results: ``python -m benchmarks.rl_ntm_runs PLAN --runs FOLDER``.

See `benchmarks.runs` for how they are trained.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.runs import parts, train_plan

TASKS = ("Copy", "DuplicatedInput", "Reverse", "RepeatCopy", "ForwardReverse")
HARD_TASKS = ("RepeatCopyForward", "Sort", "Addition")
_SUCCESS = "0.99"  # of whole sequences at the hardest level
# Each variant changes one setting of our preset.
ABLATIONS = {
    "as it is": "",
    "no causality": "algorithm.causality=false",
    "no online baseline": "algorithm.online_baseline=false",
    "no offline baseline": "algorithm.offline_baseline=false",
    "no curriculum": "curriculum=null",
    "inverse temperature 0.1": "policy.inverse_temperature=0.1",
    "log-probability as reward": "algorithm.reward=log_prob",
    "log-probability as reward, no discount": "algorithm.reward=log_prob algorithm.gamma=1.0",
    "entropy bonus 0.01": "algorithm.ent_coef=0.01",
    "gain of 1 at the start": "policy.gain=1.0",
    "content not through shortcuts alone": "policy.free_symbols=true",
    "window of one cell": "env_kwargs.input_radius=0",
}
# It trains fastest of the tasks that the paper solved with a curriculum only.
ABLATED = "Reverse"
# RepeatCopyForward is learned in stages. Each begins with the parameters that the one before ended
# with, the first with those of the pretrained ForwardReverse, which can write to the memory tape
# and read it. On a tape of ten cells, a head that goes on to the right comes to the start of the
# phrase again. Moves that are less random than our preset's keep the habit of writing cell after
# cell alive until it pays.
TRANSFER_FROM = "rl-ntm/ForwardReverse"
TRANSFER = (
    "curriculum=null policy.memory_size=10 policy.inverse_temperature=2.0 algorithm.ent_coef=0.02"
)
SHORTEST_PHRASES = (9, 8)  # One for each stage; the longest phrase is 9.
PLANS = ("table4", "paper", "hard", "ablation", "transfer")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: The name of its folder.
        task: A task of the tape family, played in its hard tier.
        algorithm: "rl_ntm" or "rl_ntm-paper".
        controller: The kind of its controller.
        seed: Seed of everything random.
        changes: Changes of the preset, as `--set` takes them.
        variant: What the changes amount to.
        start_from: The pretrained model, or the name of the run of this plan, whose parameters it
            starts with.
    """

    name: str
    task: str
    algorithm: str
    controller: str
    seed: int
    changes: list[str] = field(default_factory=list)
    variant: str = ""
    start_from: str = ""

    def command(self, folder: Path) -> list[str]:
        """Returns its arguments; `folder` is that of the plan's runs."""
        words = ["train", "--env", f"Tape-{self.task}-Hard-v0", "--algo", self.algorithm]
        words += ["--memory", self.controller, "--seed", str(self.seed)]
        words += ["--stop-at-success", _SUCCESS]
        if self.start_from:
            earlier = parts(folder / self.start_from)
            words += ["--start-from", str(earlier[-1]) if earlier else self.start_from]
        return [*words, "--set", *self.changes] if self.changes else words


def _runs(algorithm: str, controller: str, tasks: tuple[str, ...], seeds: int) -> Iterator[Run]:
    for seed in range(seeds):  # all tasks once before any twice
        for task in tasks:
            yield Run(f"{task}-{algorithm}-{controller}-{seed}", task, algorithm, controller, seed)


def _ablation() -> Iterator[Run]:
    for seed in range(3):
        for variant, changes in ABLATIONS.items():
            name = f"{variant.replace(' ', '-')}-{seed}"
            words = changes.split()
            yield Run(name, ABLATED, "rl_ntm", "direct_access", seed, words, variant)


def _transfer() -> Iterator[Run]:
    for seed in range(3):
        start = TRANSFER_FROM
        for shortest in SHORTEST_PHRASES:
            lengths = (
                f"{name}.min_length={shortest}" for name in ("env_kwargs", "evaluation_kwargs")
            )
            changes = [*TRANSFER.split(), *lengths]
            name, variant = f"phrases-from-{shortest}-{seed}", f"phrases of {shortest} to 9"
            task, memory = "RepeatCopyForward", "direct_access"
            yield Run(name, task, "rl_ntm", memory, seed, changes, variant, start)
            start = name


def plan(name: str) -> list[Run]:
    """Returns the trainings of a plan, the most telling first."""
    return {
        "table4": [
            *_runs("rl_ntm", "direct_access", TASKS, 5),
            *_runs("rl_ntm", "lstm", TASKS, 3),
            *_runs("rl_ntm", "feedforward", TASKS, 1),
        ],
        "paper": [
            *_runs("rl_ntm-paper", "direct_access", TASKS, 3),
            *_runs("rl_ntm-paper", "lstm", TASKS, 2),
        ],
        "hard": list(_runs("rl_ntm", "direct_access", HARD_TASKS, 3)),
        "ablation": list(_ablation()),
        "transfer": list(_transfer()),
    }[name]


def main() -> None:
    """Trains what is not trained yet."""
    train_plan(__doc__.splitlines()[0], PLANS, plan)


if __name__ == "__main__":
    main()
