"""How the documentation is built, by `make docs`: without a network, and every warning is an error."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "birddask"
author = "the contributors of birddask"
project_copyright = author
release = importlib.metadata.version("birddask")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]
highlight_language = "text"
nitpicky = True
# Where others are documented can't be known without their sites.
nitpick_ignore_regex = [("py:.*", r"(collections|datetime|distributed|numpy|pathlib|pyarrow|xarray)\..*")]
autodoc_typehints_format = "short"
napoleon_use_ivar = True
python_use_unqualified_type_names = True
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"birddask {release}"
html_copy_source = False
html_show_sourcelink = False
