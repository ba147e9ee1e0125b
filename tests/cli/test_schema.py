"""The schema of session files and tables."""

import json


def test_schema_is_a_json_schema(clamp):
    assert json.loads(clamp("schema").out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_gives_ddl_and_markdown(clamp):
    assert "CREATE TABLE records" in clamp("schema", "--format", "ddl").out
    assert "| `seed` | UBIGINT |" in clamp("schema", "--format", "markdown").out
