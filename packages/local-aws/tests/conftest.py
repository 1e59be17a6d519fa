"""What holds for every test of the embedded AWS, wherever it is run from."""

from hypothesis import settings

# How long an example takes depends on the host.
settings.register_profile("local-aws", deadline=None)
settings.load_profile("local-aws")
