"""Reinforcement learning neural Turing machines (Zaremba & Sutskever 2015)."""

from agents.rl_ntm.algorithm import RLNTM
from agents.rl_ntm.interfaces import InterfaceError
from agents.rl_ntm.policy import RLNTMPolicy

__all__ = ["RLNTM", "InterfaceError", "RLNTMPolicy"]
