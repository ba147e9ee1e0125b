"""Draw charts in notebooks and pages without a network: the chart library as a script, and an Altair renderer."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import count
from typing import Any

from clamp_analytics.extras import require_extras
from clamp_analytics.plots.chart_parts import import_altair

RENDERER = "clamp-offline"
"""The name of the Altair renderer."""

# Characters that could end the script element or a line of JavaScript.
_UNSAFE_IN_JSON = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_END_OF_SCRIPT = re.compile(r"<(?=/script|!--)", re.IGNORECASE)

_NUMBERS = count(1)

_DRAW = """
(() => {
  const element = document.getElementById("IDENTIFIER");
  const draw = () => {
    if (window.vegaEmbed) {
      window.vegaEmbed(element, SPECIFICATION, { mode: "vega-lite", actions: false }).catch(console.error);
    } else {
      setTimeout(draw, 100);
    }
  };
  draw();
})();
"""


class ChartLibrary:
    """The chart library, which a notebook loads where it shows this object."""

    def _repr_html_(self) -> str:
        return f"<script>{chart_runtime()}</script>"

    def __repr__(self) -> str:
        return "charts are drawn without a network"


def draw_offline() -> ChartLibrary:
    """Draw the Altair charts of a notebook without a network, in any program that shows notebooks.

    The result must be shown: call this function in the last line of a cell.

    Raises:
        UsageError: a package is missing.
    """
    require_extras("charts")
    alt = import_altair()
    alt.renderers.register(RENDERER, _render)
    alt.renderers.enable(RENDERER)
    return ChartLibrary()


def _render(specification: dict[str, Any], **options: Any) -> dict[str, str]:
    """The output of a chart in a notebook."""
    del options
    # A schema has an address, of which nothing must be loaded.
    shown = {key: value for key, value in specification.items() if key != "$schema"}
    identifier = f"clamp-chart-{next(_NUMBERS)}"
    script = _DRAW.replace("IDENTIFIER", identifier).replace("SPECIFICATION", in_script(shown))
    return {"text/html": f'<div id="{identifier}"></div><script>{script}</script>', "text/plain": "a chart"}


@lru_cache(maxsize=1)
def chart_runtime() -> str:
    """The chart library as a script, in a function so that its names are not global."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;")
    return "(() => {" + _END_OF_SCRIPT.sub(r"\\x3c", bundle.replace("\r\n", "\n")) + "})();"


def in_script(data: object) -> str:
    """Data as JSON that cannot end the script element that contains it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_UNSAFE_IN_JSON)
