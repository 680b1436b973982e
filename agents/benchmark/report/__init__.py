"""From the results of runs to a leaderboard, as Markdown and as one HTML page."""
