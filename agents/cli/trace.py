"""`memory-envs trace`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from agents.cli.common import option
from agents.cli.episode import EpisodeCommand, written
from agents.saving.atomic import write_text
from agents.training.run_directory import RunDirectory


@dataclass(frozen=True)
class TraceCommand(EpisodeCommand):
    """Play one episode and show it step by step: tapes, heads, output, values, memory."""

    out: Annotated[Path | None, option("FOLDER")] = None
    """Folder to write trace.txt to."""
    png: Annotated[bool, option("")] = False
    """Write a picture, trace.png, too; without --out, here."""
    html: Annotated[bool, option("")] = False
    """Write a page with a time slider, trace.html, too; without --out, here."""

    def run(self) -> int:
        """Plays the episode and shows it."""
        trace = self.find_trace()
        from agents.evaluation.trace import trace_text

        text = trace_text(trace)
        print(text, end="")
        files = RunDirectory(self.out or Path())
        with written():
            if self.out is not None:
                write_text(files.trace_text, text)
            if self.png:
                from agents.evaluation.trace.picture import trace_png

                trace_png(trace, files.trace_image)
            if self.html:
                from agents.evaluation.trace.page import trace_html

                trace_html(trace, files.trace_page)
        return 0
