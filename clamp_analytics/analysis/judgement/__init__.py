"""Judgement of series: whether they became worse or better, since when, and how sure that is."""

from clamp_analytics.analysis.judgement.judge import judge_many, judge_series
from clamp_analytics.analysis.judgement.result import Change, SeriesJudgement
from clamp_analytics.analysis.options import JudgeOptions
from clamp_analytics.analysis.verdicts import Direction, Shape, Verdict

__all__ = ["Change", "Direction", "JudgeOptions", "SeriesJudgement", "Shape", "Verdict", "judge_many", "judge_series"]
