"""Benchmarks of reading, archiving, start-up and recording, as ratios against the tools that users would pick instead.

Run ``python -m benchmarks`` from the root of the repository, or ``make bench``. All contenders take turns within one
run (A B A B …), and the tables report the ratio of times within a turn, because an absolute time says little on a
shared machine. The answer of every contender is compared with the expected one before its time counts.

The modules:

- ``corpus`` writes session files together with the answer that a correct reader gives;
- ``rivals`` solves the same tasks with other tools; ``in_process`` times our own code without start-up;
- ``commands`` builds the command line of each contender; ``measure`` runs it and records time and memory;
- ``reading``, ``archive``, ``startup`` and ``recorder`` produce the tables, which ``tables`` prints.
"""
