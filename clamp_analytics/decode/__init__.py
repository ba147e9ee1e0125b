"""The bytes of session files to columns: strict and fast, or slow and naming each fault."""
