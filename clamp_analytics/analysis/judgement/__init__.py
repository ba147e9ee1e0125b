"""Judgement of series: whether they became worse or better, since when, and how sure that is."""

from clamp_analytics.analysis.judgement.judge import judge_many, judge_series
from clamp_analytics.analysis.judgement.result import Change, Direction, SeriesJudgement, Shape, Verdict
from clamp_analytics.analysis.options import JudgeOptions

__all__ = ["Change", "Direction", "JudgeOptions", "SeriesJudgement", "Shape", "Verdict", "judge_many", "judge_series"]
