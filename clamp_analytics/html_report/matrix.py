"""The overview: a matrix of groups and metrics, with the verdict on each series and a link to it."""

from __future__ import annotations

import html
from collections.abc import Sequence

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.html_report.links import SeriesLinks
from clamp_analytics.html_report.markup import MARKS, details, format_change, group_attribute
from clamp_analytics.render.natural_order import natural_key
from clamp_analytics.wording import plural

MOST_ROWS = 20
"""Number of unchanged groups up to which they are not folded."""

LARGEST = 400
"""Maximal number of groups."""

MEANINGS = {
    "regressed": "regressed",
    "suspect": "shifted, not confirmed",
    "improved": "improved",
    "recovered": "recovered",
    "unchanged": "unchanged",
    "not enough data": "not enough data",
}
"""What the mark of each verdict means."""

LEGEND = ", ".join(f"{MARKS[name]} {meaning}" for name, meaning in MEANINGS.items())


def matrix(verdicts: pl.DataFrame, by: Sequence[str], links: SeriesLinks) -> str:
    """The matrix of all series, changed groups first; many unchanged groups are folded.

    Args:
        verdicts: the verdicts, worst first.
        by: the columns that define the groups.
        links: the targets of the cells.
    """
    metrics = [name for name in METRICS if name in set(verdicts["metric"])]
    groups: dict[tuple[str | None, ...], dict[str, dict[str, object]]] = {}
    for row in verdicts.iter_rows(named=True):
        groups.setdefault(tuple(row[name] for name in by), {})[row["metric"]] = row
    keys = list(groups)[:LARGEST]
    changed = [key for key in keys if any(row["verdict"] in plots.CHANGED for row in groups[key].values())]
    others = sorted(set(keys) - set(changed), key=lambda key: [natural_key(value) for value in key])
    shown, folded = (changed + others, []) if len(others) <= MOST_ROWS else (changed, others)
    heading = ", ".join(by) or "group"

    def body(chosen: Sequence[tuple[str | None, ...]]) -> str:
        return "".join(_row(key, groups[key], metrics, links) for key in chosen)

    parts = [f'<p class="more">{LEGEND}. Each cell leads to its series.</p>']
    if shown:
        parts.append(_table("Verdicts by group and metric", heading, metrics, body(shown)))
    if folded:
        content = _table("Verdicts on unchanged groups", heading, metrics, body(folded))
        parts.append(details(f"{plural(len(folded), 'group')} without a change", content, kind="groups"))
    if len(groups) > LARGEST:
        parts.append(f'<p class="more">… and {len(groups) - LARGEST:,} more groups</p>')
    return "".join(parts)


def _table(caption: str, heading: str, metrics: Sequence[str], body: str) -> str:
    heads = "".join(
        f'<th scope=col title="{name}"><span>{html.escape(plots.metric_label(name))}</span></th>' for name in metrics
    )
    return (
        f'<div class="scroll matrix" role="region" tabindex="0" aria-label="{caption}"><table>'
        f"<caption>{caption}</caption><thead><tr><th scope=col>{html.escape(heading)}</th>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(
    key: tuple[str | None, ...], rows: dict[str, dict[str, object]], metrics: Sequence[str], links: SeriesLinks
) -> str:
    group = plots.group_label(key)
    cells = "".join(_cell(group, name, rows.get(name), links.target(name, key)) for name in metrics)
    name = html.escape(group)
    return f'<tr{group_attribute(group)}><th scope=row title="{name}"><span>{name}</span></th>{cells}</tr>'


def _cell(group: str, metric: str, row: dict[str, object] | None, target: str | None) -> str:
    if row is None:
        return "<td></td>"
    verdict = str(row["verdict"])
    before, after = row["before"], row["after"]
    change = ""
    if verdict in plots.CHANGED and verdict != Verdict.RECOVERED:
        change = format_change(METRICS[metric], before, after)  # type: ignore[arg-type]
    description = html.escape(f"{group}, {metric}: {verdict} {change}".strip())
    mark = MARKS[Verdict(verdict).value]
    size = f' <span class="size">{html.escape(change)}</span>' if change else ""
    content = f'<span aria-hidden="true">{mark}{size}</span>'
    kind = html.escape(verdict.replace(" ", "-"))
    if target is None:
        return f'<td class="{kind}"><span title="{description}">{content}</span></td>'
    return f'<td class="{kind}"><a href="#{target}" title="{description}" aria-label="{description}">{content}</a></td>'
