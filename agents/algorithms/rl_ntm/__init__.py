"""Reinforcement learning neural Turing machines (Zaremba & Sutskever 2015)."""

from agents.algorithms.rl_ntm.algorithm import RLNTM
from agents.algorithms.rl_ntm.interfaces import InterfaceError
from agents.algorithms.rl_ntm.policy import RLNTMPolicy

__all__ = ["RLNTM", "InterfaceError", "RLNTMPolicy"]
