"""The built documentation: every local address in it leads somewhere."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.addresses.add(value)
            elif name == "id" and value:
                self.anchors.add(value)


def broken_addresses(site: Path) -> list[str]:
    """Local addresses of a built site that lead nowhere, as ``page: address``."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.resolve().rglob("*.html"))}
    assert pages, f"there is no page in {site}"
    broken = []
    for path, page in pages.items():
        for address in sorted(page.addresses):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            known = pages.get(target)
            if not target.is_file() or (anchor and (known is None or anchor not in known.anchors)):
                broken.append(f"{path.relative_to(site.resolve())}: {address}")
    return broken


if __name__ == "__main__":
    sys.exit("\n".join(broken_addresses(Path(sys.argv[1]))) or None)
