"""What every service builds on: patches of moto, the clock, processes, metrics, events, tags."""
