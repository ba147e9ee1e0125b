"""Analyses of telemetry: a source in, a result object out; nothing here prints or writes."""
