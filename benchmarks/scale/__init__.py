"""Summarize on a cluster what is too much for one machine: a simulation, and a real run on an S3 server."""
