"""`memory-envs memory-map`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from agents.cli.common import UsageError, checked, option
from agents.cli.episode import EpisodeCommand, written
from agents.training.run_directory import RunDirectory
from memory_envs.arguments import check_integer


@dataclass(frozen=True)
class MemoryMapCommand(EpisodeCommand):
    """Play one episode and show what the memory wrote and read, as a picture and a page.

    Keys and values of every two steps are compared by their cosine; weightings, gates and rates are
    shown over time.
    """

    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder to write memory_map.png and memory_map.html to; without it, here."""
    step: Annotated[int | None, option("N")] = None
    """Show the links of a DNC after this step. Without it, after the last."""

    def run(self) -> int:
        """Plays the episode, writes picture and page, and says what they show."""
        trace = self.find_trace()
        from agents.evaluation.memory_map import memory_map, shown_steps
        from agents.evaluation.memory_map.page import memory_map_html
        from agents.evaluation.memory_map.picture import memory_map_png

        if self.step is not None:
            checked(check_integer, "--step", self.step, 1, shown_steps(trace))
        found = memory_map(trace, self.step)
        if not found.maps:
            raise UsageError(f"model is {trace.model!r}; allowed: models whose memory can be seen")
        print(trace.title())
        for line in [found.note, *(f"  {part.name}" for part in found.maps)]:
            if line:
                print(line)
        files = RunDirectory(self.out or Path())
        with written():
            memory_map_png(found, files.memory_map_image)
            memory_map_html(found, files.memory_map_page)
        print(f"written: {files.memory_map_image}, {files.memory_map_page}")
        return 0
