"""Archives that many processes write to at once: a folder or URL of Delta tables."""
