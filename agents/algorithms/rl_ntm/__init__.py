"""Reinforcement learning neural Turing machines (Zaremba & Sutskever 2015)."""
