"""Decode the bytes of session files into columns: typed decoders for valid files, a fallback that names each fault."""
