"""Statistics over arrays: pure functions, each with the source of its formula.

The arrays hold one finite value per session. The functions do not depend on metrics or contexts, and resampling draws
from a generator that is seeded by the arguments, so that equal arguments give equal results.
"""
