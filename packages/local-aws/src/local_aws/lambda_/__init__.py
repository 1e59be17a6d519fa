"""Lambda: zips that run, in workers like those of AWS."""
