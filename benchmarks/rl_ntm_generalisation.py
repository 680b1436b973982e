"""Trained to length L, tested beyond: ``python -m benchmarks.rl_ntm_generalisation``.

Plays the pretrained models of RL-NTM at L and at multiples of it, and writes
benchmarks/results/rl-ntm-generalisation.json, a page and a figure in docs/, each whole or not at
all. The memory tape has no parameters: it gets one cell for each symbol that could be written.
"""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import agents
from agents.algorithms.pretrained import Pretrained, read_index
from agents.evaluation.plots import save_png
from agents.saving.atomic import write_text
from agents.training.provenance import commit
from benchmarks.machine import describe_machine
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import opened
from memory_envs.scoring.play import play
from memory_envs.scoring.references import optimal_returns

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "rl-ntm-generalisation.json"
PAGE = ROOT / "docs" / "results" / "rl-ntm-generalisation.md"
FIGURE = ROOT / "docs" / "images" / "rl-ntm-generalisation.png"
# Of L, which 3 divides, and how many episodes.
FACTORS = {
    Fraction(1): 1000,
    Fraction(4, 3): 1000,
    Fraction(5, 3): 1000,
    Fraction(2): 1000,
    Fraction(10): 1000,
    Fraction(100): 100,
}
FIRST_SEED = 2 * 10**9
TRAINED_CELLS = 30  # what `RLNTMPolicy` has by default


def at_length(model: Any, about: Pretrained, length: int, episodes: int) -> dict[str, float]:
    """Success, and the share of right symbols, on fresh episodes of one length."""
    trained = model.policy_kwargs.get("memory_size", TRAINED_CELLS)
    model.policy.resize_memory(max(trained, length + 2))
    kwargs = {**about.env_kwargs, "min_length": length, "max_length": length}
    seed = FIRST_SEED + length * episodes
    with opened(about.env, episodes, kwargs) as rows:
        played = play(from_predict(model), rows, episodes, seed)
        best = optimal_returns(rows.env, episodes, seed)
    assert played.success is not None
    assert best is not None
    right = float((played.returns / best).mean())
    return {"length": length, "episodes": episodes, "success": played.success, "right": right}


def measure() -> dict[str, list[dict[str, float]]]:
    """All models of RL-NTM at all lengths."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, about in read_index().items():
        if name.startswith("rl-ntm/"):
            model = agents.load_pretrained(name)
            hardest = about.hardest_level
            found[name] = []
            for factor, episodes in FACTORS.items():
                found[name].append(at_length(model, about, int(factor * hardest), episodes))
                print(name, found[name][-1], flush=True)
    return found


def page(found: dict[str, Any]) -> str:
    """The results as a page in Markdown."""
    results, machine = found["models"], found["machine"]
    points = next(iter(results.values()))
    episodes = {Fraction(p["length"], points[0]["length"]): p["episodes"] for p in points}
    lines = [
        "# RL-NTM: longer than trained",
        "",
        "Written by `python -m benchmarks.rl_ntm_generalisation`: the",
        "[pretrained models](pretrained.md), trained to length L, on fresh instances of one",
        "length: the share that is right as a whole and, in brackets, the share of symbols that",
        "are right. Most probable moves.",
        "",
        "| model | L | " + " | ".join(f"{factor} L" for factor in episodes) + " |",
        "| --- | ---: |" + " ---: |" * len(episodes),
    ]
    for name, points in results.items():
        shares = " | ".join(f"{p['success']:.3f} ({p['right']:.3f})" for p in points)
        lines.append(f"| `{name}` | {points[0]['length']} | {shares} |")
    counts = ", ".join(f"{number:,} at {factor} L" for factor, number in episodes.items())
    lines += ["", f"Episodes: {counts}.", "", "![Success by length](../images/" + FIGURE.name + ")"]
    lines += ["", f"Commit {found['commit']}, {machine['cpu']}, {machine['cores']} cores."]
    return "\n".join(lines) + "\n"


def draw(results: dict[str, list[dict[str, float]]]) -> None:
    """Success against length."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, points in results.items():
        lengths, shares = zip(*((p["length"], p["success"]) for p in points), strict=True)
        axes.plot(lengths, shares, marker="o", label=name.removeprefix("rl-ntm/"))
    axes.set(xscale="log", xlabel="length", ylabel="success", ylim=(-0.03, 1.03))
    axes.legend(frameon=False, fontsize="small")
    save_png(figure, FIGURE)


def main() -> None:
    """Measure and write."""
    models = measure()
    found = {"commit": commit(), "machine": describe_machine(), "models": models}
    write_text(RESULTS, json.dumps(found, indent=1) + "\n")
    draw(models)
    write_text(PAGE, page(found))


if __name__ == "__main__":
    main()
