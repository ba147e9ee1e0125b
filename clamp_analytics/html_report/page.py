"""The page: one HTML file that contains all it needs, and that cannot load or run anything else."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from clamp_analytics.html_report.markup import section
from clamp_analytics.plots import PAGE, chart_runtime, in_script, vega_config

HERE = Path(__file__).parent

NO_SESSIONS: Mapping[str, Any] = {"folder": "", "label": None, "sessions": {}, "anchors": {}, "traces": {}}
"""The data of sessions where none can be opened."""

Section = tuple[str, str, str]
"""The id, the title and the markup of a section."""


def page(
    conclusion: str,
    sections: Sequence[Section],
    charts: Mapping[str, Mapping[str, Any]],
    sessions: Mapping[str, Any] = NO_SESSIONS,
) -> bytes:
    """The whole file.

    Its content security policy allows the two scripts and the style sheet that it contains, by their hashes, and
    nothing else: no request, no evaluation of text, no form.

    Args:
        conclusion: the markup of the opening sentence.
        sections: the sections in order.
        charts: Vega-Lite specifications by the id of the element in which they are drawn.
        sessions: the data of the sessions that a reader can open; see ``session_details``.
    """
    style, script, runtime = _own("page.css"), f"{_own('session.js')}\n{_own('page.js')}", chart_runtime()
    policy = (
        f"default-src 'none'; script-src {_hash(runtime)} {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{identifier}">{html.escape(title)}</a></li>' for identifier, title, _ in sections)
    text = Template(_own("page.html")).substitute(
        policy=policy,
        style=style,
        conclusion=conclusion,
        links=links,
        sections="\n".join(section(*one) for one in sections),
        charts=in_script({"config": vega_config(PAGE), "specifications": charts}),
        sessions_data=in_script(sessions),
        runtime=runtime,
        script=script,
    )
    # Escaping has replaced lone surrogates, so encoding cannot fail.
    return text.encode()


def _own(name: str) -> str:
    return (HERE / name).read_text("utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
