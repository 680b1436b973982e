"""The benchmark: any agent on suites of tasks, run after run, to a leaderboard."""
