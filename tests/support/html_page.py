"""A page of the project, as a browser sees it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser sees of a page: elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.parts: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.parts).replace("\u202f", " ").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def count(self, tag: str, css: str = "") -> int:
        return (
            sum(
                name == tag and css in attributes.get("class", "").split()
                for name, attributes in self.elements
            )
            if css
            else sum(name == tag for name, _ in self.elements)
        )

    def cut_tables(self) -> list[str]:
        """Return the classes of the tables without a `scroll` around them: a phone cuts these."""
        pairs = zip(self.elements, self.elements[1:], strict=False)
        return [
            attributes.get("class", "")
            for (_, outer), (name, attributes) in pairs
            if name == "table" and "scroll" not in outer.get("class", "").split()
        ]

    def marks(self, css: str) -> int:
        """Return how many marks of a kind one of the two drawings over time holds."""
        found = [a for _, a in self.elements if a.get("class") == f"mark {css}"]
        return (len(found) - 1) // 2 if found else 0
