"""Verdicts as a comment on a pull request."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clamp_analytics.render.pull_request import markdown
from clamp_analytics.render.verdicts import DRIFT
from tests.render.builders import HOSTILE, ROWS, golden, verdict_of, verdicts

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table"])


def test_the_comment_shows_changes_and_folds_the_rest():
    text = markdown(
        verdicts(),
        ["context"],
        DRIFT,
        summary="30 sessions, 6 series tested.",
        lists={"Appeared": ["new", HOSTILE], "Vanished": []},
    )

    assert text == golden("drift_comment.md")


def test_contexts_in_a_comment_are_in_natural_order():
    rows = [("unchanged", f"thread-{number}", *ROWS[0][2:]) for number in (10, 9, 2)]

    text = markdown(verdicts(rows), ["context"], DRIFT)

    assert re.findall("thread-[0-9]+", text) == ["thread-2", "thread-9", "thread-10"]


def test_a_comment_without_a_change_says_so():
    text = markdown(verdicts(ROWS[:1]), ["context"], DRIFT)

    assert text.startswith("### Drift: no change\n\n<details>\n<summary>1 unchanged</summary>\n")


def test_a_comment_without_enough_data_does_not_say_that_nothing_changed():
    text = markdown(verdicts(ROWS[1:2]), ["context"], DRIFT, headline="no incident")

    assert text.startswith("### Drift: not enough data\n")


def test_a_comment_fits_the_host_however_many_contexts_there_are():
    rows = [(verdict, f"context {at} {HOSTILE * 20}", *row[2:]) for verdict, _, *row in ROWS for at in range(500)]

    text = markdown(verdicts([(row[0], row[1], *ROWS[3][2:]) for row in rows]), ["context"], DRIFT)

    assert len(text) < 65_536
    left = [int(number.replace(",", "")) for number in re.findall("… and ([0-9,]+) more", text)]
    shown = len(re.findall(r"^\| (?:\*\*)?(?:regressed|improved|suspect|unchanged|not)", text, re.MULTILINE))
    assert sum(left) + shown == 3000


def inline_html(text):
    """The HTML that a page would show as its own, of blocks and within text."""
    found = []
    for token in MARKDOWN.parse(text):
        found += [token.content] if token.type == "html_block" else []
        found += [child.content for child in token.children or [] if child.type == "html_inline"]
    return "".join(found)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab <>/|`&\\*_[]()!#@:\n\r\x1b") | st.characters(codec="utf-8")))
def test_any_context_stays_text_in_a_comment(context):
    plain, hostile = (
        markdown(verdict_of(text), ["context"], DRIFT, lists={"Appeared": [text]}) for text in ("a", context)
    )

    html = re.sub("</?code>|<!-- -->", "", inline_html(hostile))
    assert html == inline_html(plain)
    assert hostile.count("\n") == plain.count("\n")
