"""Mutants of the decoding of session files that behave as the original does."""

from __future__ import annotations

from mutation.equivalence import Equivalent

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

DECODING = (
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
