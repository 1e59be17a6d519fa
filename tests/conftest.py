"""What holds for every test."""

from hypothesis import settings

# How long an example takes is the machine's affair, and measured in benchmarks/ alone.
settings.register_profile("scones", deadline=None)
settings.load_profile("scones")
