"""The embedded AWS's state on disk: saved while it runs, loaded when it starts."""
