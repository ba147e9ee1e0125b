"""Examples of a page: which blocks run, in what order, and what is written back."""

import pytest
from examples import EMPTY_FOLDER, ExampleError, run, wording


def page(*blocks):
    return "\n".join([EMPTY_FOLDER, *blocks]) + "\n"


def test_the_output_of_a_command_is_replaced(tmp_path):
    shown = run(page("```console", "$ echo new", "old", "```"), tmp_path)

    assert shown == page("```console", "$ echo new", "new", "```")


def test_a_command_without_output_runs_and_gets_none(tmp_path):
    text = page("```console", "$ touch made", "$ ls", "...", "```")

    shown = run(text, tmp_path)

    assert shown == page("```console", "$ touch made", "$ ls", "made", "```")


def test_a_block_with_a_caption_is_a_file(tmp_path):
    file = ["```{code-block} python", ":caption: folder/hello.py", "", "print('hello')", "```"]

    shown = run(page(*file, "```console", "$ python folder/hello.py", "...", "```"), tmp_path)

    assert shown == page(*file, "```console", "$ python folder/hello.py", "hello", "```")


def test_the_python_sessions_of_a_page_share_their_names(tmp_path):
    text = page("```pycon", ">>> number = 6", "```", "```pycon", ">>> number * 7", "0", "```")

    shown = run(text, tmp_path)

    assert shown == page("```pycon", ">>> number = 6", "```", "```pycon", ">>> number * 7", "42", "```")


def test_output_that_varies_in_its_figures_only_is_kept(tmp_path):
    text = page("<!-- output varies -->", "```console", "$ echo took 2.5 s", "took 1.25 s", "```")

    shown = run(text, tmp_path)

    assert shown == text


def test_output_that_varies_in_its_wording_is_replaced(tmp_path):
    shown = run(page("<!-- output varies -->", "```console", "$ echo took 2.5 s", "lasted 1 s", "```"), tmp_path)

    assert shown == page("<!-- output varies -->", "```console", "$ echo took 2.5 s", "took 2.5 s", "```")


def test_the_folder_of_the_examples_has_a_public_name(tmp_path):
    shown = run(page("```console", "$ pwd", "...", "```"), tmp_path)

    assert shown == page("```console", "$ pwd", "/home/ada/pipeline", "```")


@pytest.mark.parametrize(
    "block",
    [
        ("```console", "$ exit 2", "```"),
        ("```pycon", ">>> 1 / 0", "```"),
        ("```python", "raise SystemExit(3)", "```"),
        ("```python", "1 / 0", "```"),
    ],
)
def test_an_example_that_fails_is_an_error(block, tmp_path):
    with pytest.raises(ExampleError):
        run(page(*block), tmp_path)


def test_exit_code_1_of_a_check_is_not_an_error(tmp_path):
    text = page("```console", "$ echo regressed; exit 1", "regressed", "```")

    assert run(text, tmp_path) == text


def test_a_block_of_another_language_does_not_run(tmp_path):
    text = page("```sh", "touch made", "```")

    run(text, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_wording_ignores_figures_rules_and_widths():
    assert wording("p  <0.0001\n─────\n▁▃█ 2026-10-08") == wording("p 0.02\n──\n▅▅ 2025-01-31")
