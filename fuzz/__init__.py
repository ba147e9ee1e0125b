"""Coverage-guided fuzzing of what reads foreign bytes; run with ``make fuzz MINUTES=10``."""
