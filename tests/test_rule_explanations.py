"""Every rule has an explanation."""

from clamp_analytics.rule_explanations import EXPLANATIONS
from clamp_analytics.rules import RULES


def test_every_rule_has_an_explanation_and_in_the_same_order():
    assert list(EXPLANATIONS) == [rule.id for rule in RULES]


def test_every_explanation_has_sentences_for_why_and_fix():
    texts = [text for each in EXPLANATIONS.values() for text in (each.why, each.fix)]

    assert [text for text in texts if not text.endswith(".") or not text[0].isupper()] == []
