"""Whether a recurrent agent is right: small checks, each of which names its cause."""

from agents.evaluation.conformance.adapter import Adapter, Judged, Rollout, Step
from agents.evaluation.conformance.check import CHECKS, check_recurrent
from agents.evaluation.conformance.report import Finding, Report

__all__ = ["CHECKS", "Adapter", "Finding", "Judged", "Report", "Rollout", "Step", "check_recurrent"]
