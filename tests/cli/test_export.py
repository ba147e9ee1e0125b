"""The export, and that it reads back the same."""


def test_an_export_gives_the_same_summary_byte_for_byte(clamp, clean, faulty, tmp_path):
    clamp("export", clean, faulty, "-o", "out")

    from_files = clamp("summarize", clean, faulty, "-o", "a.json", "--by", "day")
    from_export = clamp("summarize", "out", "-o", "b.json", "--by", "day")

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert from_files.out == from_export.out


def test_an_export_gives_the_same_violations_and_scores(clamp, clean, faulty):
    clamp("export", clean, faulty, "-o", "out")

    for command in ("validate", "score"):
        assert clamp(command, clean, faulty, "-f", "json").out == clamp(command, "out", "-f", "json").out


def test_an_export_that_is_there_is_not_replaced_unasked(clamp, clean):
    clamp("export", clean, "-o", "out")

    again = clamp("export", clean, "-o", "out")

    assert again.code == 3
    assert "--overwrite" in again.err
    assert clamp("export", clean, "-o", "out", "--overwrite").code == 0
