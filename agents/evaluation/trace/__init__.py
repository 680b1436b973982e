"""Traces: one episode, shown step by step.

`episode` plays it, and `watcher` looks into the model meanwhile. `views` and `memory` find the
tapes, outputs and paths in what was kept. `text`, `picture` (drawn from `panels`) and `page` show
them; `failure` looks for an episode that fails.
"""

from agents.evaluation.trace.episode import Trace, longest_episode, run_trace

__all__ = ["Trace", "longest_episode", "run_trace"]
