"""The picture of the shapes of changes."""

import shape_pictures


def test_the_picture_of_the_shapes_shows_the_verdicts_as_they_are():
    assert shape_pictures.picture() == shape_pictures.PICTURE.read_text("utf-8"), (
        "run `python docs/scripts/shape_pictures.py`"
    )
