"""Traces: one episode, shown step by step.

`episode` is what is kept of it. `player` plays it, and `watcher` looks into the model meanwhile;
`history` and `memory` put tapes, outputs and paths together. `text`, `picture` (drawn from
`panels`) and `page` show them; `failure` looks for an episode that fails.
"""

from agents.evaluation.trace.episode import Trace
from agents.evaluation.trace.player import longest_episode, run_trace
from agents.evaluation.trace.text import trace_text

__all__ = ["Trace", "longest_episode", "run_trace", "trace_text"]
