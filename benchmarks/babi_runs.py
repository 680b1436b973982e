"""The bAbI trainings, each continued where it was cut off.

    python -m benchmarks.babi_runs joint --runs FOLDER

One model learns all 20 tasks together (Munkhdalai et al. 2019, section 4.2).
`benchmarks.babi_results` makes results and a page of FOLDER.
"""

from benchmarks.runs import PresetRun, train_plan

PLANS = ("joint",)
BABI = "Stream-bAbI-v0"
WORDS = [
    "env_kwargs.level=word",
    "policy.encoder=null",
    "policy.encoder_kwargs={}",
    "policy.encoder_size=256",
]


def plan(name: str) -> list[PresetRun]:
    """Returns the trainings of a plan, the most telling first."""
    runs = {
        "joint": [
            PresetRun("sentence-mnm-p-0", BABI, "supervised", "mnm-p", 0, variant="sentences"),
            PresetRun("word-mnm-p-0", BABI, "supervised", "mnm-p", 0, WORDS, variant="words"),
            PresetRun("sentence-lstm-0", BABI, "supervised", "lstm", 0, variant="sentences"),
        ]
    }
    return runs[name]


def main() -> None:
    """Trains what is not trained yet."""
    train_plan(__doc__.splitlines()[0], PLANS, plan)


if __name__ == "__main__":
    main()
