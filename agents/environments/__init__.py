"""Gymnasium as Stable-Baselines3 sees it."""
