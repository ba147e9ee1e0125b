"""The page: one HTML file that holds all it needs, and may load and run nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

from clamp_analytics.html_report.markup import section

HERE = Path(__file__).parent

# What a parser of HTML or of JavaScript could take for the end of the element or of a line.
_UNSAFE_IN_JSON = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_END_OF_SCRIPT = re.compile(r"<(?=/script|!--)", re.IGNORECASE)

Section = tuple[str, str, str]
"""The id, the title and the content of a section."""


def page(sections: Sequence[Section], charts: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The whole file.

    Its policy lets it run the two scripts and use the style sheet that it holds, by their hashes, and nothing else:
    no request, no evaluation of text, no form.

    Args:
        sections: what it shows, in order; the contents are markup.
        charts: Vega-Lite specifications by the id of the element that they are drawn in.
    """
    style, script, runtime = (_own("page.css"), _own("page.js"), _runtime())
    policy = (
        f"default-src 'none'; script-src {_hash(runtime)} {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{identifier}">{html.escape(title)}</a></li>' for identifier, title, _ in sections)
    text = Template(_own("page.html")).substitute(
        policy=policy,
        style=style,
        links=links,
        sections="\n".join(section(*one) for one in sections),
        charts=in_script(charts),
        runtime=runtime,
        script=script,
    )
    # Half of a surrogate pair is made visible where text is escaped; none can be left here.
    return text.encode()


def in_script(data: object) -> str:
    """Data as JSON that cannot end the script element that holds it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_UNSAFE_IN_JSON)


def _own(name: str) -> str:
    return (HERE / name).read_text("utf-8").strip()


@lru_cache(maxsize=1)
def _runtime() -> str:
    """The charting library for the page; a script of its own, whose names stay its own."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;")
    return "{" + _END_OF_SCRIPT.sub(r"\\x3c", bundle.replace("\r\n", "\n")) + "}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
