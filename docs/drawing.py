"""What the pictures of the documents are drawn with."""

from __future__ import annotations

from html import escape

INK, SOFT, PAPER, RULE = "#1f2933", "#52606d", "#ffffff", "#cbd2d9"
BLUE, ORANGE, GREEN, PURPLE = "#2b6cb0", "#c05621", "#2f855a", "#805ad5"


class Drawing:
    """An SVG picture: a light sheet, so that it can be read on a dark page too; coordinates in pixels."""

    def __init__(self, width: int, height: int, title: str) -> None:
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="system-ui, sans-serif">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="10" fill="{PAPER}"/>',
        ]

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", color: str = INK, size: int = 14,
             bold: bool = False) -> None:  # fmt: skip
        """Write words whose baseline begins, has its middle or ends at (x, y)."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}" font-size="{size}"{weight}>'
            f"{escape(words)}</text>"
        )

    def line(self, points: list[tuple[float, float]], color: str = SOFT, width: float = 1.5, dash: str = "") -> None:
        """Join points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'fill="none" stroke="{color}" stroke-width="{width}"' + (f' stroke-dasharray="{dash}"' if dash else "")
        self._parts.append(f'<polyline points="{path}" {style}/>')

    def area(self, points: list[tuple[float, float]], color: str, edge: str = "none") -> None:
        """Fill what the points enclose."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polygon points="{path}" fill="{color}" stroke="{edge}"/>')

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Fill a rectangle."""
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>')

    def dot(self, x: float, y: float, radius: float, color: str, edge: str = "none") -> None:
        """Fill a circle."""
        circle = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"'
        self._parts.append(f'<circle {circle} stroke="{edge}" stroke-width="3"/>')

    def svg(self) -> str:
        """Return the picture as a text."""
        return "\n".join([*self._parts, "</svg>", ""])
