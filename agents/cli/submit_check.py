"""`memory-envs submit-check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agents.cli.common import UsageError, checked, option


@dataclass(frozen=True)
class SubmitCheck:
    """Verify results before they are sent: their rules, their scale, and the agent if it is given.

    `memory-envs report FOLDER --submission FILE --agent AGENT` makes such a file.
    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.
    """

    file: Annotated[Path | None, tyro.conf.Positional, option("FILE")] = None
    """The submission."""
    replay: Annotated[str | None, option("module:function")] = None
    """Plays the agent again: a function of a trial, as agents are, that loads what was trained on
    its `task` with its `seed`, and returns it as a policy."""

    def run(self) -> int:
        """Looks at everything, and says what it found."""
        if self.file is None:
            raise UsageError("say what to check: FILE")
        from agents.benchmark.submission import check_submission, read_submission
        from agents.cli.strangers import find_named

        submission = checked(read_submission, self.file)
        replay = None if self.replay is None else find_named("--replay", self.replay)
        if replay is not None and not callable(replay):
            raise UsageError(f"--replay is {self.replay!r}; allowed: a function of a trial")
        wrong = 0
        for finding in check_submission(submission, replay):
            wrong += bool(finding.wrong)
            mark = "WRONG" if finding.wrong else "ok"
            print(f"{mark:5}  {finding.what}  {finding.wrong}".rstrip())
        outcome = f"{wrong} wrong" if wrong else "nothing wrong"
        print(f"{len(submission.results)} results of {submission.agent}: {outcome}")
        if replay is None:
            print("not played again: no --replay was given")
        return int(wrong > 0)
