"""One row in the table makes an algorithm known to the command line, presets, files and checker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import agents
from agents import AlgorithmSpec, ModelFileError, Reinforce, make_vec_env, register_algorithm
from agents.algorithms.table import ALGORITHMS
from agents.cli.main import main
from agents.training.presets import find_preset
from agents.training.recipes import Recipe
from memory_envs import ENVIRONMENTS

Capture = pytest.CaptureFixture[str]
ENV = "Tape-Copy-Easy-v0"


class Toy(Reinforce):
    """An algorithm of a user's own."""


@pytest.fixture
def toy() -> Iterator[AlgorithmSpec]:
    spec = AlgorithmSpec("toy", __name__, "Toy", variants={"plain": {"baseline": "none"}})
    register_algorithm(spec)
    yield spec
    del ALGORITHMS["toy"]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_row_leads_to_its_classes(name: str) -> None:
    spec = ALGORITHMS[name]
    assert spec.name == name
    assert spec.load_class().__name__ == spec.class_name
    assert spec.load_class() is getattr(agents, spec.class_name)
    assert spec.best_memory in (None, *spec.memory_names())
    assert set(spec.families) <= {row.family for row in ENVIRONMENTS.values()}
    settings = [dict(variant) for variant in spec.variants.values()]
    assert all(settings.count(variant) == 1 for variant in settings), "each is another case"


@pytest.mark.parametrize("command", ["train", "gradcheck"])
def test_the_help_names_every_row(command: str, toy: AlgorithmSpec, capsys: Capture) -> None:
    assert main([command, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"Algorithm: {', '.join(ALGORITHMS)}." in shown
    assert "toy" in ALGORITHMS


def test_a_row_is_trained_saved_and_loaded(
    toy: AlgorithmSpec, tmp_path: Path, capsys: Capture
) -> None:
    preset = find_preset(ENV, "toy", "gru")
    assert (preset.recipe, preset.source) == (Recipe(), "no preset, the defaults of Toy")
    command = f"train --env {ENV} --algo toy --timesteps 64 --n-envs 4 --out {tmp_path / 'run'}"
    assert main([*command.split(), "--set", "policy.net_arch=[8]"]) == 0
    assert "settings: no preset, the defaults of Toy" in capsys.readouterr().out
    assert type(agents.load(tmp_path / "run" / "model.zip")) is Toy


def test_a_row_has_its_gradient_checked(toy: AlgorithmSpec, capsys: Capture) -> None:
    assert main(["gradcheck", "--algo", "toy", "--memory", "none", "--set", "max_steps=2"]) == 0
    assert "toy, baseline plain" in capsys.readouterr().out


def test_a_file_of_a_class_without_a_row_says_what_to_do(tmp_path: Path) -> None:
    Toy("MemoryPolicy", make_vec_env(ENV, 2)).save(tmp_path / "toy")
    message = (
        "holds a Toy, which is unknown; allowed: .*MemoryA2C, .* agents.register_algorithm adds"
    )
    with pytest.raises(ModelFileError, match=message):
        agents.load(tmp_path / "toy")


@pytest.mark.parametrize(
    ("name", "class_name", "message"),
    [
        ("ppo", "Toy", "name is 'ppo'; allowed: any but ppo, a2c"),
        ("my/toy", "Toy", "name is 'my/toy'; allowed: names without a slash"),
        ("", "Toy", "name is ''; allowed"),
        ("toy", "Reinforce", "class_name is 'Reinforce'; allowed: any but"),
    ],
)
def test_a_row_must_be_new(name: str, class_name: str, message: str) -> None:
    before = dict(ALGORITHMS)
    with pytest.raises(ValueError, match=message):
        register_algorithm(AlgorithmSpec(name, __name__, class_name))
    assert before == ALGORITHMS
