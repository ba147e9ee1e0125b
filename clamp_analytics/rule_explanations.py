"""Why each rule exists and how to fix a violation of it: the text of ``validate --explain``, SARIF and the reference.

``rules`` declares what each rule checks; a test requires an explanation of every rule.
"""

from __future__ import annotations

from dataclasses import dataclass

_INTERRUPTED = "Write to a temporary file and rename it when it is complete. Repeat the run if the data is needed."
_PACK_AGAIN = "Pack or download the container again; `--salvage` reads the members of it that are intact."
_NO_ZONE = "Write timestamps in UTC with a `Z`, such as 2026-10-08T06:00:00Z."


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a rule.

    Attributes:
        why: why a violation matters, and what this package does with the value.
        fix: what to change, and where.
    """

    why: str
    fix: str


EXPLANATIONS: dict[str, Explanation] = {
    "unreadable": Explanation(
        "The file exists but the system refused to read it, so nothing is known about its session.",
        "Check the permissions and the disk, and whether the file was removed while it was read.",
    ),
    "container-damaged": Explanation(
        "Part of the zip, tar or compressed file is missing or does not match its checksum; its sessions are lost.",
        _PACK_AGAIN,
    ),
    "container-refused": Explanation(
        "The structure is ambiguous or unsafe: for example encrypted, nested too deep, or with overlapping members. "
        "Two tools could read different content from it, so none is read.",
        "Pack the files again with a standard tool, without encryption.",
    ),
    "container-limit": Explanation(
        "The content exceeds a limit that protects the machine against archives that unpack to an enormous size.",
        "If the container is genuine, raise the limit that the message names, for example with `--max-total-bytes`.",
    ),
    "container-mismatch": Explanation(
        "A file with the ending of one format has the bytes of another, which hints at a mistake in the upload.",
        "Give the file the ending of its format, such as .zip, .tar.gz, .json.gz or .json.",
    ),
    "truncated": Explanation(
        "The process ended or the disk was full before the document was complete. The file is rejected.",
        _INTERRUPTED,
    ),
    "not-json": Explanation(
        "The text is not JSON at the byte that is given, often a bare `nan` or `inf` of a C++ stream, or a trailing "
        "comma. The file is rejected.",
        "Correct the writer; write null for a number that is not finite.",
    ),
    "not-utf8": Explanation(
        "JSON is UTF-8. Other bytes cannot be mapped to text reliably, so names could be mistaken for others.",
        "Encode names as UTF-8 before they are written.",
    ),
    "too-deep": Explanation(
        "No session nests that deeply. Following such a document would exhaust the stack, so it is rejected.",
        "Check what wrote the file; it is probably not a session.",
    ),
    "too-many-keys": Explanation(
        "A session has few keys per object. An object with this many is not one, and would take very long to check.",
        "Check what wrote the file; it is probably not a session.",
    ),
    "not-a-session": Explanation(
        "The document has no array `records`, so there is nothing to analyse. The file is rejected.",
        "Keep other JSON files out of the telemetry folder, or name the session files with a glob.",
    ),
    "record-not-object": Explanation(
        "Every entry of `records` describes one anchor event as an object. Any other value is dropped.",
        "Correct the writer of the records.",
    ),
    "missing-field": Explanation(
        "All seven fields of a record are required. Statistics of the missing field leave the record out.",
        "Write the field; an anchor in flight has `released_at: null`.",
    ),
    "wrong-type": Explanation(
        "The value cannot be used without a guess, for example a number written as text. It becomes null, and the "
        "violation keeps the original.",
        "Write the type that the specification gives for the field.",
    ),
    "duplicate-key": Explanation(
        "JSON parsers disagree about which of two values counts, so the field counts as having none.",
        "Write each key of an object once.",
    ),
    "seed-range": Explanation(
        "A seed identifies a cycle across runs and must be exact. A negative, fractional or larger number is not a "
        "seed; it becomes null.",
        "Write the seed as an unsigned 64-bit integer, without a detour through a float.",
    ),
    "score-range": Explanation(
        "The specification calls a score outside [0, 1] corruption. It becomes null and does not enter any mean.",
        "Correct the computation of the score in the producer; do not clip it, which would hide the defect.",
    ),
    "not-finite": Explanation(
        "The number would become infinite and spoil every mean that it enters. It becomes null.",
        "Check the producer for an overflow or an uninitialized variable.",
    ),
    "byte-order-mark": Explanation(
        "JSON must not begin with a byte order mark, and many parsers reject it. It is skipped here.",
        "Write UTF-8 without a byte order mark (on Windows often `utf-8` and not `utf-8-sig`).",
    ),
    "device-name-conflict": Explanation(
        "Both spellings of the field occur with different values, so the device of the record is not certain.",
        "Write one of the two; both are deprecated.",
    ),
    "seed-zero": Explanation(
        "The specification says that a seed of zero means a failed acquisition: the lock was not held.",
        "Look for the failed acquisition at the record that is given, and at the entropy source of that thread.",
    ),
    "seed-reused": Explanation(
        "Each acquisition draws a new seed. Two equal ones mean that the source repeats itself or a record was "
        "written twice, and make comparisons by seed ambiguous.",
        "Check how threads seed their generators, and that each event is recorded once.",
    ),
    "timestamp-unset": Explanation(
        "The time is an empty text, so the record has no position in time or no duration that can be checked.",
        "Set the timestamp before the session is written; use null for an anchor that is still held.",
    ),
    "timestamp-unreadable": Explanation(
        "The text is not a date and time of ISO 8601, or names a day that does not exist. It becomes null.",
        _NO_ZONE,
    ),
    "timestamp-not-utc": Explanation(
        "The specification requires UTC. The time was converted by its offset, so nothing is lost, but other tools "
        "may compare the texts.",
        _NO_ZONE,
    ),
    "timestamp-no-zone": Explanation(
        "Without a zone the time is ambiguous. It was taken as UTC; if it was local time, sessions of several "
        "machines are in the wrong order.",
        _NO_ZONE,
    ),
    "released-before-acquired": Explanation(
        "A lock cannot be released before it was acquired: the clock was set back, or the two times were swapped.",
        "Take both times from the same clock, and durations from a monotonic one.",
    ),
    "duration-negative": Explanation(
        "A lock cannot be held for a negative time. The value would distort percentiles.",
        "Measure durations with a monotonic clock.",
    ),
    "duration-contradicts-timestamps": Explanation(
        "Duration and timestamps describe the same span. One of them is wrong, and it cannot be known which.",
        "Take all three from one measurement. A clock that is adjusted during the run also causes this.",
    ),
    "mean-contradicts-records": Explanation(
        "The mean at the top of the file is not the mean of its records: records are missing, or it was computed "
        "from others.",
        "Compute the mean from the records that are written, under the same lock.",
    ),
    "session-repeated": Explanation(
        "A file with equal bytes was read before under another name. Its records count twice in every statistic.",
        "Remove the copy, or ingest the files into an archive, which keeps each session once.",
    ),
    "in-flight": Explanation(
        "The lock was still held when the file was written. Its score counts, its duration is a placeholder and does "
        "not.",
        "Nothing, if the run ended while locks were held. Otherwise release anchors before the session is written.",
    ),
    "timestamp-finer-than-microsecond": Explanation(
        "Times are kept in microseconds. The finer digits were cut off, which no statistic here would show.",
        "Nothing.",
    ),
    "deprecated-field": Explanation(
        "Old producers wrote `backend` and `deviceName`. They are read and kept, and may disappear from the format.",
        "Update the producer. If analyses need them, write labels.",
    ),
    "unknown-field": Explanation(
        "The specification does not know the field. It is kept as JSON in the column `extra`.",
        "Nothing, if it is an extension of your own. Otherwise check the spelling.",
    ),
}
"""The explanation of each rule by its id."""
