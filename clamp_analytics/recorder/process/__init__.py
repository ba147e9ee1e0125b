"""What the recorder needs from the process: hooks for fork and exit, SIGTERM, and locks that are safe with signals.

Nothing here knows telemetries; ``hooks`` calls whatever has the methods of ``ProcessObserver``.
"""
