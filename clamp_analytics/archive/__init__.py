"""The DuckDB archive: telemetry that is ingested once, kept, and read by every command."""
