"""The report's drawings: SVG for the page, the same as PNG for other documents."""
