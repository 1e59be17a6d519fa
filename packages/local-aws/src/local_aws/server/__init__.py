"""The process, its HTTP server and what a request passes on its way to a service."""
