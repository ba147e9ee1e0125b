"""What the recorder needs from the process: hooks for fork and exit, SIGTERM, and locks that are safe with signals.

These modules do not import the telemetry; ``hooks`` calls any object with the methods of ``ProcessObserver``.
"""
