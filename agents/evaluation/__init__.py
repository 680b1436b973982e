"""Plays, scores, and looks inside."""
