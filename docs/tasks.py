"""Which pages the tasks have: a page holds all ids of a task, and those of bAbI's tasks are one."""

from dataclasses import dataclass
from pathlib import Path

from memory_envs import ENVIRONMENTS, EnvironmentSpec

PAGES = Path(__file__).with_name("environments")
PICTURES = Path(__file__).with_name("images") / "environments"
FAMILIES = ("tape", "algorithmic", "maze", "stream")


@dataclass(frozen=True)
class Task:
    """A task with its page and its picture.

    Attributes:
        family: The family.
        name: The task's name within it, without the number of a bAbI task.
        specs: What is registered of it.
    """

    family: str
    name: str
    specs: tuple[EnvironmentSpec, ...]

    @property
    def slug(self) -> str:
        """The name of its files, without ending."""
        return f"{self.family}-{self.name}".lower()

    @property
    def shown(self) -> EnvironmentSpec:
        """The id that its picture shows: the plain one, and of sizes the smallest."""
        return next(spec for spec in self.specs if spec.tier == "plain")


def tasks() -> list[Task]:
    """Returns all tasks, in the order in which they are registered."""
    found: dict[tuple[str, str], list[EnvironmentSpec]] = {}
    for spec in ENVIRONMENTS.values():
        found.setdefault((spec.family, spec.task.partition("-")[0]), []).append(spec)
    return [Task(family, name, tuple(specs)) for (family, name), specs in found.items()]
