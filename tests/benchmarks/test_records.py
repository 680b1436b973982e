"""Published results: each row's label is what its command did, and its code was committed."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.algorithms.pretrained import read_index
from benchmarks import (
    babi_results,
    babi_runs,
    memory_results,
    memory_runs,
    presets,
    rl_ntm_results,
    stream_results,
    stream_runs,
    text_results,
    text_runs,
)
from benchmarks.panel import ALGORITHMS, PANEL
from benchmarks.results import without_folder
from benchmarks.rl_ntm_runs import plan
from benchmarks.runs import PresetRun

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
INDEX = ROOT / "agents" / "algorithms" / "pretrained" / "index.json"
RL_NTM: dict[str, list[dict[str, Any]]] = json.loads(rl_ntm_results.RESULTS.read_text("utf-8"))

Plan = Callable[[str], Sequence[PresetRun]]
PLANNED: list[tuple[Path, Plan]] = [
    (path, planned)
    for path, planned in (
        (babi_results.RESULTS, babi_runs.plan),
        (memory_results.RESULTS, memory_runs.plan),
        (stream_results.RESULTS, stream_runs.plan),
        (text_results.RESULTS, text_runs.plan),
    )
    if path.exists()  # bAbI has none yet
]


def _commits(record: Any) -> Iterator[Any]:
    if isinstance(record, dict):
        yield from ([record["commit"]] if "commit" in record else [])
    inside = record.values() if isinstance(record, dict) else record
    for part in inside if isinstance(record, dict | list) else ():
        yield from _commits(part)


def _without_seed_0(words: list[str]) -> list[str]:
    """Seed 0 is the default, which recorded commands leave out."""
    place = words.index("--seed") if "--seed" in words else len(words)
    return words[:place] + words[place + 2 :] if words[place + 1 : place + 2] == ["0"] else words


@pytest.mark.parametrize("path", [*RECORDS, INDEX], ids=lambda path: path.stem)
def test_no_result_comes_from_a_dirty_tree(path: Path) -> None:
    commits = list(_commits(json.loads(path.read_text(encoding="utf-8"))))
    assert commits
    for commit in commits:
        assert re.fullmatch(r"[0-9a-f]{40}", commit), commit


@pytest.mark.parametrize("name", RL_NTM)
def test_a_label_of_rl_ntm_is_what_its_command_did(name: str) -> None:
    keys = ("task", "controller", "variant", "seed")
    planned = {run.name: run for run in plan(name)}
    for record in RL_NTM[name]:
        run = planned[record["name"]]
        assert all(record[key] == getattr(run, key) for key in keys)
        expected = without_folder(shlex.join(["memory-envs", *run.command(Path("nowhere"))]))
        assert shlex.split(record["command"]) == _without_seed_0(shlex.split(expected))


@pytest.mark.parametrize(("path", "planned"), PLANNED, ids=lambda part: getattr(part, "stem", ""))
def test_a_label_of_a_training_is_what_its_command_did(path: Path, planned: Plan) -> None:
    for name, records in json.loads(path.read_text(encoding="utf-8")).items():
        runs = {run.name: run for run in planned(name)}
        for record in records:
            run = runs[record["name"]]
            label = run.env, run.agent, run.seed
            assert (record["env"], record["agent"], record["seed"]) == label
            words = ["memory-envs", *run.command(Path("nowhere"))]
            assert shlex.split(record["command"]) == _without_seed_0(words)


def test_a_label_of_a_preset_is_what_its_command_did() -> None:
    for record in json.loads(presets.RESULTS.read_text(encoding="utf-8")):
        if "command" in record:  # the page says of which runs it was not kept
            expected = presets.COMMAND.replace("ENV", record["env"])
            words = shlex.split(expected.replace("SEED", str(record["seed"])))
            assert shlex.split(record["command"]) == _without_seed_0(words)


@pytest.mark.parametrize("path", [path for path in RECORDS if path.stem.startswith("speed-")])
def test_a_table_of_speeds_is_what_its_command_measured(path: Path) -> None:
    words = shlex.split(json.loads(path.read_text(encoding="utf-8"))["command"])
    what = path.stem.removeprefix("speed-").replace("-", "_")
    assert words[:4] == ["python", "-m", "benchmarks.throughput", what]
    assert words[words.index("--json") + 1] == str(path.relative_to(ROOT))
    assert "--quick" not in words


def test_a_label_of_the_defaults_is_a_task_of_the_panel() -> None:
    steps = {task.name: task.steps for task in PANEL}
    for record in json.loads((RECORDS[0].parent / "defaults.json").read_text(encoding="utf-8")):
        assert record["algorithm"] in ALGORITHMS
        assert record["steps"] == steps[record["task"]]


def test_a_label_of_a_pretrained_model_is_what_its_command_did() -> None:
    for name, about in read_index().items():
        words = shlex.split(about.command)
        kind, _, rest = name.partition("/")
        # The id is an option, or comes first.
        env = words[words.index("--env") + 1] if "--env" in words else words[2]
        assert env == about.env
        assert words[words.index("--memory") + 1] == about.memory
        if kind == "rl-ntm":  # the rest is a task, otherwise a memory
            assert words[words.index("--algo") + 1] == "rl_ntm"
            assert rest.partition("-")[0] in about.env
        elif kind == "streams":
            assert about.env.lower().startswith(f"stream-{rest}")
        else:
            assert about.env.lower().startswith(kind)
            assert rest == about.memory
        seed = words[words.index("--seed") + 1] if "--seed" in words else "0"
        assert seed == str(about.seed)
