"""Notebooks as pages of the site."""

import notebook_pages


def notebook(*outputs, source="1 + 1"):
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text"]},
        {"cell_type": "code", "source": [source], "outputs": list(outputs)},
    ]
    return {"cells": cells}


def test_a_cell_becomes_text_or_code():
    assert notebook_pages.page(notebook()) == "# Title\nText\n\n```{code-block} python\n1 + 1\n```\n"


def test_printed_text_follows_its_cell():
    page = notebook_pages.page(notebook({"output_type": "stream", "text": ["two\n"]}))

    assert page.endswith("1 + 1\n```\n\n```text\ntwo\n```\n")


def test_a_result_is_shown_as_html_if_it_has_that_form():
    data = {"text/html": ["<b>2</b>"], "text/plain": ["2"]}

    page = notebook_pages.page(notebook({"output_type": "execute_result", "data": data}))

    assert page.endswith('```{raw} html\n<div class="notebook-output"><b>2</b></div>\n```\n')


def test_backticks_in_a_cell_do_not_end_its_block():
    page = notebook_pages.page(notebook(source='"```"'))

    assert page.endswith('````{code-block} python\n"```"\n````\n')
