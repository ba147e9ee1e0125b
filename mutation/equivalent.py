"""Mutants that behave as the original does, so that no test can notice them.

Each entry gives the module, the line of its source without the indentation, and the changes. An entry is void once
that line is written in another way.
"""

from __future__ import annotations

from dataclasses import dataclass

from mutation.mutants import Mutant


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Mutants of one line for one reason.

    Attributes:
        module: path of the module.
        line: the line of the source.
        changes: the changes.
        reason: why the behaviour is the same.
    """

    module: str
    line: str
    changes: tuple[str, ...]
    reason: str


_RULES = "clamp_analytics/rules.py"
_PRECONDITION = "A precondition saves time; the expression decides."
_NULLS = "precondition=lambda field: pl.col(field).null_count() > 0,"

_STATS = "clamp_analytics/analysis/stats"
_DECODE = "clamp_analytics/decode/"
_SCANNER = _DECODE + "json_scanner.py"
_SHORT = "How a value is scanned does not change where it ends."
_FIRST_CHECK = "The first comparison saves the second one, which decides."
_REPORTED = "What is cut off later is never part of a report."
_TRUTH = "The caller uses its truth only."
_MEMORY = "When records move from lists into columns changes the memory that they take, not their values."
_RUNS = "Texts that are parsed once for each run have the same values as those that are parsed one at a time."
_NUMBERS = "Every record still has a number of its own."
_RULE_DECIDES = "The expression of the rule decides afterwards."

_TRANSACTION = "clamp_analytics/archive/ingest/transaction.py"
_REGISTERED = "A name that is registered again is replaced, and the connection ends with the transaction."

_DECODING = (
    Equivalent(_SCANNER, "_SHORT_CHARS = 4096", ("4096 -> 4097",), _SHORT),
    Equivalent(_SCANNER, "_SHORT_LEVELS = 8", ("8 -> 9",), _SHORT),
    Equivalent(
        _SCANNER,
        "return self._short_end(start) if level < _SHORT_LEVELS else None",
        (
            "return self._short_end(start) if level < _SHORT_LEVELS else None -> return None",
            "level < _SHORT_LEVELS -> level <= _SHORT_LEVELS",
        ),
        _SHORT,
    ),
    Equivalent(
        _SCANNER,
        "end: int = self._scan(self._text[start : start + _SHORT_CHARS], 0)[1]",
        ("start + _SHORT_CHARS -> start - _SHORT_CHARS",),
        _SHORT,
    ),
    Equivalent(_SCANNER, "return start + end", ("return start + end -> return None",), _SHORT),
    Equivalent(_SCANNER, "return int(end)", ("return int(end) -> return None",), "It is never reached."),
    Equivalent(
        _SCANNER,
        "return opened - siblings > DEPTH_BOUND and opened - sum(1 for _ in _SIBLINGS.finditer(data)) > DEPTH_BOUND",
        (
            "opened - siblings > DEPTH_BOUND -> opened - siblings >= DEPTH_BOUND",
            "opened - siblings -> opened + siblings",
        ),
        _FIRST_CHECK,
    ),
    Equivalent(
        _SCANNER,
        "return shorten(text_of(data[start : min(end, start + 4 * (VALUE_BOUND + 1))]))",
        ("4 -> 5", "1 -> 2"),
        _REPORTED,
    ),
    Equivalent(
        _DECODE + "typed.py",
        "maximum = field.maximum if field.maximum is not None and field.maximum < 2**63 else None",
        ("field.maximum < 2 ** 63 -> field.maximum <= 2 ** 63", "2 ** 63 -> 2 * 63"),
        "The fields have the bounds 1 and 2^64 - 1.",
    ),
    Equivalent(
        _DECODE + "typed.py",
        'kind: dict[str, Any] = {"forbid_unknown_fields": True, "gc": False}',
        ("False -> True",),
        "It only spares the garbage collector work.",
    ),
    Equivalent(
        _DECODE + "typed.py",
        "if found is None and self._learn(data):",
        ("found is None and self._learn(data) -> found is None or self._learn(data)",),
        "A document that is decoded already is decoded again.",
    ),
    Equivalent(
        _DECODE + "typed.py",
        "return may_be_deep(data, len(records) - 1) or not is_utf8(data)",
        ("1 -> 2",),
        _FIRST_CHECK,
    ),
    Equivalent(_DECODE + "fallback.py", "_DUPLICATES_LISTED = 100", ("100 -> 101",), _REPORTED),
    Equivalent(
        _DECODE + "fallback.py",
        "if len(of_key) < _DUPLICATES_LISTED:",
        ("len(of_key) < _DUPLICATES_LISTED -> len(of_key) <= _DUPLICATES_LISTED",),
        _REPORTED,
    ),
    Equivalent(
        _DECODE + "fallback.py",
        "if size <= 2 * bound:",
        ("size <= 2 * bound -> size < 2 * bound", "2 * bound -> 2 / bound"),
        "It saves counting the entries; the count decides.",
    ),
    Equivalent(
        _DECODE + "fallback.py",
        "are_many = at >= faulty_to",
        ("at >= faulty_to -> at > faulty_to",),
        "A record that begins where a piece ended is decoded alone.",
    ),
    Equivalent(
        _DECODE + "fallback.py",
        "self._first_index = 0",
        ("0 -> 1",),
        "It is set together with the first records.",
    ),
    Equivalent(
        _DECODE + "fallback.py",
        "if layout is not self._layout or len(self._records) >= self._options.records_pending:",
        ("len(self._records) >= self._options.records_pending -> len(self._records) > self._options.records_pending",),
        _MEMORY,
    ),
    Equivalent(
        _DECODE + "columns.py",
        'if max(_GET["seed"](records), default=0) > SEED_MAX:',
        ("0 -> 1",),
        "No records have no seed that is too large.",
    ),
    Equivalent(
        _DECODE + "columns.py",
        "return layout.keys >= _DEVICE_KEYS and any(None not in pair for pair in _DIFFERING_DEVICES(records))",
        ("layout.keys >= _DEVICE_KEYS -> layout.keys > _DEVICE_KEYS",),
        "A layout has required keys as well.",
    ),
    *(
        Equivalent(
            _DECODE + "batch_builder.py",
            f"if {owner}.pending >= self._options.records_pending:",
            (f"{owner}.pending >= self._options.records_pending -> {owner}.pending > self._options.records_pending",),
            _MEMORY,
        )
        for owner in ("records", "self._records")
    ),
    *(
        Equivalent(_DECODE + "batch_builder.py", f"{owner}.freeze()", (f"{owner}.freeze() -> pass",), _MEMORY)
        for owner in ("records", "self._records")
    ),
    Equivalent(_DECODE + "batch_builder.py", "return False", ("return False -> return None",), _TRUTH),
    Equivalent(
        _DECODE + "batch_builder.py",
        "files = pl.int_range(len(counts), dtype=pl.UInt32, eager=True).repeat_by(counts).explode(empty_as_null=False)",
        ("True -> False",),
        "A column may be inserted as an expression, too.",
    ),
    Equivalent(_DECODE + "timestamps.py", "_RUNS_BELOW = 0.5", ("0.5 -> 1.5",), _RUNS),
    Equivalent(
        _DECODE + "timestamps.py",
        "repeated = not text.is_empty() and runs[-1] < _RUNS_BELOW * len(text)",
        (
            "runs[-1] < _RUNS_BELOW * len(text) -> runs[-1] <= _RUNS_BELOW * len(text)",
            "_RUNS_BELOW * len(text) -> _RUNS_BELOW / len(text)",
        ),
        _RUNS,
    ),
    Equivalent(
        _DECODE + "timestamps.py",
        "columns = [_repeated(column, len(text)).alias(name) for name, column in zip(names, found, strict=True)]",
        ("True -> False",),
        "Five columns always meet five names.",
    ),
    Equivalent(
        _DECODE + "validate.py",
        '_ROW = pl.col("file").cast(pl.UInt64) * 2**32 + pl.col("record_index")',
        (
            "pl.col('file').cast(pl.UInt64) * 2 ** 32 + pl.col('record_index')"
            " -> pl.col('file').cast(pl.UInt64) * 2 ** 32 - pl.col('record_index')",
            "2 -> 3",
            "32 -> 33",
        ),
        _NUMBERS,
    ),
    Equivalent(
        _DECODE + "validate.py",
        "index = -1 if fault.record_index is None else fault.record_index",
        ("1 -> 2",),
        "Both are below the first index.",
    ),
    Equivalent(
        _DECODE + "validate.py",
        'return index, _RANK[fault.rule], fault.field or ""',
        ("fault.field or '' -> fault.field and ''",),
        "The faults of one rule and record are found in the order of their fields.",
    ),
    Equivalent(_DECODE + "validate.py", "break", ("break -> continue",), "The records that follow have no such fault."),
    Equivalent(
        _DECODE + "validate.py",
        'others = records.filter(pl.col("stability_score") != 1)',
        ("1 -> 2",),
        "A score of 1 is printed with fewer than three digits.",
    ),
    Equivalent(
        _DECODE + "validate.py",
        "return sessions.filter((difference > PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK) & is_complete)",
        (
            "difference > PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK -> difference >= PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK",
            "PRINTED_MEAN_HALF_STEP + _FLOAT_SLACK -> PRINTED_MEAN_HALF_STEP - _FLOAT_SLACK",
        ),
        _RULE_DECIDES,
    ),
)

_CONTAINERS = "clamp_analytics/sources/containers/"
_READ_AT_ONCE = "How much is read at once does not change what is read."
_UNUSED_OFFSET = "The offset that is the last argument is not used."

_UNPACKING = (
    Equivalent(_CONTAINERS + "tars.py", "while rest := stream.upto(1 << 16):", ("1 -> 2", "16 -> 17"), _READ_AT_ONCE),
    Equivalent(
        _CONTAINERS + "tars.py",
        'if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\\n":',
        ("end <= match.end() -> end < match.end()",),
        "The byte before the value is an equals sign and not a line end.",
    ),
    Equivalent(
        _CONTAINERS + "zip_salvage.py",
        "trailer = file.at(end, 24)",
        ("24 -> 25",),
        "One byte is read that is not used.",
    ),
    Equivalent(
        _CONTAINERS + "zip_salvage.py",
        "why = refusal_of(0, needed, flags, method)",
        ("0 -> 1",),
        "Neither mode is that of a special file.",
    ),
    Equivalent(
        _CONTAINERS + "zip_salvage.py",
        "size, packed, _ = large_sizes(extra, size, packed, 0)",
        ("0 -> 1",),
        _UNUSED_OFFSET,
    ),
    Equivalent(_CONTAINERS + "zip_salvage.py", "data = file.at(at, 1 << 16)", ("1 -> 2", "16 -> 17"), _READ_AT_ONCE),
    Equivalent(
        _CONTAINERS + "zip_salvage.py",
        "piece = engine.decompress(data, 1 << 18)",
        ("1 << 18 -> 1 >> 18", "1 -> 2", "18 -> 19"),
        _READ_AT_ONCE,
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "_ENCRYPTED = 0x1 | 0x40 | 0x2000",
        ("64 -> 65", "8192 -> 8193"),
        "The first bit is one of the mask already.",
    ),
    Equivalent(
        _CONTAINERS + "zips.py", "_WINDOW = 1 << 20", ("1 << 20 -> 1 >> 20", "1 -> 2", "20 -> 21"), _READ_AT_ONCE
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "if offset >= self.size:",
        ("offset >= self.size -> offset > self.size",),
        "There are no bytes at the end.",
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "if self._at + size > len(self._window):",
        ("self._at + size > len(self._window) -> self._at + size >= len(self._window)",),
        _READ_AT_ONCE,
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "more = self._file.at(self._next, min(max(_WINDOW, size), self._unread))",
        ("max(_WINDOW, size) -> min(_WINDOW, size)",),
        _READ_AT_ONCE,
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "mode = attributes >> 16 if made_by >> 8 == _UNIX else 0",
        ("0 -> 1",),
        "Neither mode is that of a special file.",
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "for index, following in pairwise([*order, -1]):",
        ("1 -> 2",),
        "Any number below zero marks the end.",
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "size, packed, _ = large_sizes(extra, size, packed, 0)",
        ("0 -> 1",),
        _UNUSED_OFFSET,
    ),
    Equivalent(
        _CONTAINERS + "zips.py",
        "data = engine.decompress(data, member.size + 1)",
        ("1 -> 2",),
        "More content than the size is damage, whatever its length.",
    ),
)

EQUIVALENT = (
    *_DECODING,
    *_UNPACKING,
    *(
        Equivalent(
            _TRANSACTION,
            f'connection.unregister("{name}")',
            (f"connection.unregister('{name}') -> pass",),
            _REGISTERED,
        )
        for name in ("incoming", "members", "retried")
    ),
    Equivalent(
        _RULES,
        "precondition=lambda field: pl.col(field).drop_nulls().n_unique() < pl.col(field).count(),",
        (
            "pl.col(field).drop_nulls().n_unique() < pl.col(field).count()"
            " -> pl.col(field).drop_nulls().n_unique() <= pl.col(field).count()",
        ),
        _PRECONDITION,
    ),
    Equivalent(
        _RULES,
        _NULLS,
        ("pl.col(field).null_count() > 0 -> pl.col(field).null_count() >= 0",),
        _PRECONDITION,
    ),
    Equivalent(_RULES, "null_value=True,", ("True -> False",), "It saves reading a text that is null."),
    Equivalent(
        _RULES,
        "field for rule in RULES if rule.expression and not rule.over_sessions for field in rule.fields",
        ("rule.expression and (not rule.over_sessions) -> rule.expression or not rule.over_sessions",),
        "Faults of more fields are remembered than needed.",
    ),
    Equivalent(
        f"{_STATS}/step_scan.py",
        "while length <= n - MIN_BEFORE - MIN_AFTER:",
        (
            "n - MIN_BEFORE -> n + MIN_BEFORE",
            "n - MIN_BEFORE - MIN_AFTER -> n - MIN_BEFORE + MIN_AFTER",
        ),
        "A segment that is too long for the series has no index to start at.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "better = evidence > best.evidence[active]",
        ("evidence > best.evidence[active] -> evidence >= best.evidence[active]",),
        "Evidence is exactly equal where nothing could be added, and then the segmentation is the same.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "better = moved_fit.losses < fit.losses[rows]",
        ("moved_fit.losses < fit.losses[rows] -> moved_fit.losses <= fit.losses[rows]",),
        "The loss is equal where a change has not moved.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "low, high = max(shift, 0), n + min(shift, 0)",
        ("0 -> 1",),
        "The first and the last index are never allowed.",
    ),
    Equivalent(
        f"{_STATS}/evidence.py",
        "event = (scores != np.median(scores)).astype(np.float64)",
        ("scores != np.median(scores) -> scores == np.median(scores)",),
        "Events and other sessions have the same part in the likelihood.",
    ),
    Equivalent(
        f"{_STATS}/mean_error.py",
        "if self.exceeded(middle) > 2 * (1 - share):",
        ("self.exceeded(middle) > 2 * (1 - share) -> self.exceeded(middle) >= 2 * (1 - share)",),
        "Both ends of the interval converge to the same number.",
    ),
    Equivalent(
        f"{_STATS}/multiplicity.py",
        "for indices, of_group in zip(rows, of_groups, strict=True):",
        ("True -> False",),
        "Each group has one p-value.",
    ),
    Equivalent(
        f"{_STATS}/ranks.py",
        "ways = np.zeros((size + 1, int(np.sort(ranks)[-size:].sum()) + 1))",
        ("1 -> 2",),
        "A row or a column more stays zero, or is not read.",
    ),
    Equivalent(
        f"{_STATS}/ranks.py",
        "ways[0, 0] = 1",
        ("1 -> 2",),
        "All numbers of choices are doubled, and only their shares are used.",
    ),
    Equivalent(
        f"{_STATS}/step_scan.py",
        "doubled = 2 * np.arange(n + 1)",
        ("1 -> 2",),
        "A value more is not read.",
    ),
    Equivalent(
        "clamp_analytics/moments.py",
        "parts = [part.cast(pl.Int64).alias(name) for part, name in zip((first, second, third), names, strict=True)]",
        ("True -> False",),
        "Three parts always meet three names.",
    ),
)


def is_equivalent(module: str, mutant: Mutant) -> bool:
    """Whether a mutant of a module is listed here."""
    return any(
        one.module == module and one.line == mutant.original and mutant.change in one.changes for one in EQUIVALENT
    )
