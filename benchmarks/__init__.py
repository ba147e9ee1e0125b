"""The benchmark: what reading, starting and recording cost, as ratios against what users would pick instead.

``python -m benchmarks`` from the root of the repository, or ``make bench``. Every answer is compared before its time
counts. No figure is absolute: contenders take turns in one run, and what is reported is the ratio within a turn.
"""
