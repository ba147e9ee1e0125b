"""Configuration of the documentation site; ``make docs`` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

from clamp_analytics import __version__

sys.path.insert(0, str(Path(__file__).parent / "scripts"))

project = "clamp_analytics"
author = "The clamp_analytics developers"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "notebook_pages"]
exclude_patterns = ["_build", "scripts"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Signatures as they are written, without the package's path before every type.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"clamp_analytics {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
