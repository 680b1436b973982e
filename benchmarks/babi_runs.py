"""The bAbI trainings, each continued where it was cut off.

    python -m benchmarks.babi_runs sentences --runs FOLDER --minutes 600
    python -m benchmarks.babi_runs words --runs FOLDER --minutes 60
    python -m benchmarks.babi_runs rl --runs FOLDER --minutes 60

In `sentences` and `words` one model learns all 20 tasks together, sentence by sentence or, as in
Munkhdalai et al. (2019), section 4.2, word by word, in half the paper's widths. In `rl` the first,
second and sixth task are learnt alone, by reward, and beside that from the right answers, with the
same network and as many steps. The most telling trainings of a plan come first. A rate that goes
down does so over all steps of a training: where the minutes are not enough for them, give fewer.
`benchmarks.babi_results` makes results and a page of FOLDER.
"""

from collections.abc import Iterator

from benchmarks.babi import stream_id
from benchmarks.runs import PresetRun, train_plan
from memory_envs.stream.text.babi import JOINT, babi_name

BABI = stream_id(JOINT)
WORDS = ["env_kwargs.level=word"]
# A second and a third look into the memory before an answer, with the question in view.
_LOOKS = ["env_kwargs.question_pauses=2", "env_kwargs.pauses_show=sentence"]
# No story comes twice, which no model of the papers had.
_NAMES = ["env_kwargs.exchange_names=true", "evaluation_kwargs.exchange_names=false"]
# Nothing but the memory to remember by.
_NO_STATE = ["policy.memory_kwargs.controller=feedforward"]
_DROPOUT = ["policy.encoder_kwargs.word_dropout=0.1", "algorithm.dropout=0.1"]
# The order of a sentence's words can be told, and the rate goes down in the end.
_BASE = [
    "policy.encoder_kwargs.positions=waves",
    'algorithm.learning_rate={"start":0.001,"end":0.0,"hold":0.6}',
]
# Half of the paper's, whose steps cost three times as much; both for some two hours of a core.
_SIZES = [
    "timesteps=60000000",
    "policy.encoder_kwargs.size=128",
    "policy.memory_kwargs.hidden_size=128",
]
_HALF = [*_SIZES, "policy.memory_kwargs.memory_width=64"]
_FULL = ["timesteps=20000000"]
# Half of what the presets have, which is the paper's.
BY_WORDS = {
    "mnm-p": {"memory_width": 64},
    "mnm-g": {"memory_width": 64},
    "dnc": {"memory_size": 128, "word_size": 32},
    "lstm": {},
    "salu": {"key_size": 64, "value_size": 64},
}
SINGLE = (1, 2, 6)
PLANS = ("sentences", "words", "rl")


def _sentences() -> Iterator[PresetRun]:
    variants = {
        ("mnm-p", "exchanged names"): [*_NAMES, *_NO_STATE, *_LOOKS, *_HALF],
        ("mnm-p", "no more"): [*_NO_STATE, *_LOOKS, *_HALF],
        ("mnm-p", "dropout"): [*_NO_STATE, *_LOOKS, *_HALF, *_DROPOUT],
        ("mnm-p", "exchanged names, an LSTM's state"): [*_NAMES, *_LOOKS, *_HALF],
        ("mnm-p", "exchanged names, one look"): [*_NAMES, *_NO_STATE, *_HALF],
        ("mnm-p", "exchanged names, full width"): [*_NAMES, *_NO_STATE, *_LOOKS, *_FULL],
        ("lstm", "exchanged names"): [*_NAMES, *_LOOKS, *_SIZES],
    }
    for (memory, variant), changes in variants.items():
        name = "-".join([memory, *variant.replace(",", "").replace("'", "").lower().split(), "0"])
        yield PresetRun(name, BABI, "supervised", memory, 0, [*_BASE, *changes], variant)


def _words() -> Iterator[PresetRun]:
    for memory, sizes in BY_WORDS.items():
        widths = {"hidden_size": 128, **sizes}
        changes = [f"policy.memory_kwargs.{name}={size}" for name, size in widths.items()]
        changes += [*WORDS, "policy.encoder_kwargs.size=128"]
        yield PresetRun(f"{memory}-0", BABI, "supervised", memory, 0, changes)


def _rl() -> Iterator[PresetRun]:
    for number in SINGLE:
        for algorithm in ("ppo", "supervised"):
            env = stream_id(babi_name(number))
            yield PresetRun(f"qa{number}-{algorithm}-0", env, algorithm, "gated-delta", 0)


def plan(name: str) -> list[PresetRun]:
    """Returns the trainings of a plan, the most telling first."""
    return list({"sentences": _sentences, "words": _words, "rl": _rl}[name]())


def main() -> None:
    """Trains what is not trained yet."""
    train_plan(__doc__.splitlines()[0], PLANS, plan)


if __name__ == "__main__":
    main()
