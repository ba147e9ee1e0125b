"""Incidents: changes of several series that began with the same session, and what else changed with it."""
