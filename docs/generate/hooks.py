"""What MkDocs calls (mkdocs.yml): pages from the top of the repository, links, and what is generated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from docs.generate.pages import FROM_THE_TOP, for_the_site  # noqa: E402


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for place, source in FROM_THE_TOP.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A page as the site shows it."""
    return for_the_site(markdown, page.file.src_uri)
