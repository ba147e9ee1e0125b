"""Mutation testing: change one detail of a module at a time, and count how many changes the tests notice."""
