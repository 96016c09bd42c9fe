"""
How Sphinx builds this documentation.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as versionOf
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

project = "punch"
author = "The punch authors"
copyright = "The punch authors; MIT license"
release = version = versionOf("txpunch")

extensions = ["sphinx.ext.autodoc", "epytext", "tables"]
exclude_patterns = ["_build", "examples"]
default_role = "literal"

autoclass_content = "both"
autodoc_preserve_defaults = True
# Shown by name: interfaces and aliases look terrible spelled out.
autodoc_type_aliases = {
    name: name
    for name in (
        "HostAddresses",
        "IDelayedCall",
        "IDirectory",
        "IListeningPort",
        "IProtocol",
        "IProtocolFactory",
        "IReactorTCP",
        "IReactorTime",
        "Rendezvous",
        "Tell",
    )
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"punch {release}"
html_static_path = ["_static"]
html_css_files = ["punch.css"]
html_copy_source = False
html_show_sphinx = False

# Options begin with two hyphens, not with a dash.
smartquotes_action = "qe"
