"""The trainings behind memories' results: ``python -m benchmarks.memory_runs PLAN --runs FOLDER``.

See `benchmarks.runs` for how they are trained. The most telling trainings of a plan come first.
"""

from collections.abc import Iterator

from agents.cells import CELLS
from benchmarks.runs import PresetRun, train_plan

MAZE = "Maze-InvisibleGoal-{0}x{0}-v0"
# Each with as many seeds; all once before any twice. `gated-delta` was the best of the others at a
# first look.
MAZE_SEEDS = {
    "lstm": 3,
    "gru": 3,
    "mnm-p": 3,
    "dnc": 1,
    "plastic": 1,
    "gated-delta": 3,
    "none": 1,
}
BEST = "gru"  # in the maze, of those that are trained as quickly
# First looks: the same settings for all, with every memory's own sizes, and the same number of
# steps, enough for the quick ones to come far. The preset of the LSTM on the tape has settings that
# the others' lacks; all are given them.
MAZE_LOOK = ["timesteps=750000", "policy.memory_kwargs={}"]
TAPE_LOOK = [
    "timesteps=1000000",
    'algorithm.ent_coef={"start":0.08,"end":0.003}',
    "policy.memory_kwargs={}",
]
# Section 4.3 and Appendix D of Munkhdalai et al. (2019) take the settings of Miconi et al. (2018):
# one episode an update, Adam with 1e-4, discount 0.9, value loss 0.03. In place of entropy these
# penalise the sum of the squared probabilities of actions, times 0.1. Around equal probabilities,
# as at the start, an entropy bonus of 0.1 has a gradient of the same direction that is twice as
# large with four actions, so that 0.05 is the nearest to it.
A2C = [
    "timesteps=250000000",  # a million episodes, as in the paper's figure
    "n_envs=1",
    "env_kwargs.observe_previous_action=false",
    "algorithm.learning_rate=0.0001",
    "algorithm.n_steps=250",
    "algorithm.gamma=0.9",
    "algorithm.gae_lambda=1.0",
    "algorithm.vf_coef=0.03",
    "algorithm.ent_coef=0.05",
    "policy.encoder_size=null",
    "policy.net_arch=[]",
    "policy.critic_memory=shared",
    "policy.memory_kwargs.hidden_size=200",
]
A2C_MNM = ["policy.memory_kwargs.memory_width=100", "policy.memory_kwargs.num_heads=3"]
LARGE = (11, 13)
# What the paper leaves open about MNM-p, each the other way, one at a time; `maze-first-look` has
# it as it is by default.
MNM_OPTIONS = {
    "one rate for all layers": "rate_per_layer=false",
    "values without tanh": "linear_values=true",
    "writes as printed": "normalized_writes=false",
}
# Each with as many seeds. The preset was made on the NTM's first three; the others are its test.
CARTPOLE = {"ntm": 6, "dnc": 3, "mnm-p": 3}
PLANS = (
    "maze",
    "maze-first-look",
    "mnm-options",
    "tape-first-look",
    "maze-a2c",
    "maze-large",
    "cartpole",
)


def _maze() -> Iterator[PresetRun]:
    for seed in range(max(MAZE_SEEDS.values())):
        for memory, seeds in MAZE_SEEDS.items():
            if seed < seeds:
                yield PresetRun(f"{memory}-{seed}", MAZE.format(9), "ppo", memory, seed)


def _looks(env: str, changes: list[str]) -> Iterator[PresetRun]:
    for memory in CELLS:
        yield PresetRun(f"{memory}-0", env, "ppo", memory, 0, changes)


def _options() -> Iterator[PresetRun]:
    for variant, option in MNM_OPTIONS.items():
        changes = [*MAZE_LOOK, f"policy.memory_kwargs.{option}"]
        name = option.partition("=")[0]
        yield PresetRun(name, MAZE.format(9), "ppo", "mnm-p", 0, changes, variant)


def _large() -> Iterator[PresetRun]:
    for size in LARGE:
        yield PresetRun(f"{size}x{size}-{BEST}-0", MAZE.format(size), "ppo", BEST, 0)


def _cartpole() -> Iterator[PresetRun]:
    for seed in range(max(CARTPOLE.values())):
        for memory, seeds in CARTPOLE.items():
            if seed < seeds:
                yield PresetRun(
                    f"{memory}-{seed}", "CartPole-v1", "reinforce", memory, seed, stop_at=0.8
                )


def plan(name: str) -> list[PresetRun]:
    """Returns the trainings of a plan, the most telling first."""
    return {
        "maze": list(_maze()),
        "maze-first-look": list(_looks(MAZE.format(9), MAZE_LOOK)),
        "mnm-options": list(_options()),
        "tape-first-look": list(_looks("Tape-Reverse-v0", TAPE_LOOK)),
        "maze-a2c": [
            PresetRun("lstm-0", MAZE.format(9), "a2c", "lstm", 0, A2C),
            PresetRun("mnm-p-0", MAZE.format(9), "a2c", "mnm-p", 0, [*A2C, *A2C_MNM]),
        ],
        "maze-large": list(_large()),
        "cartpole": list(_cartpole()),
    }[name]


def main() -> None:
    """Trains what is not trained yet."""
    train_plan(__doc__.splitlines()[0], PLANS, plan)


if __name__ == "__main__":
    main()
