"""Zip, tar and compressed files as sources."""
