"""AWS's own algorithms that have a local stand-in: programs behind the names of AWS's images."""
