"""TemporalScoring by session and over all."""

import json


def test_score_gives_sessions_and_their_aggregate(clamp, clean):
    scores = json.loads(clamp("score", clean, "--format", "json").out)

    assert len(scores["sessions"]) == 10
    assert scores["aggregated"]["samples"] == 240
