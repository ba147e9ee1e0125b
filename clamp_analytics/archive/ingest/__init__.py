"""Add sources to an archive, each session once."""
