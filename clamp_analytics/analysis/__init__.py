"""The analyses: each function reads a source and returns a result object, and none of them prints or writes files."""
