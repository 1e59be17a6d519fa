"""The live page at the embedded AWS's root, and the JSON that it shows."""
