"""What an evaluation left behind: the artifacts and the figures to show."""
