"""The variables that point an AWS client at the embedded AWS."""

from local_aws.core.context import REGION

# Whoever signs with this key may do everything; any other key must be a user's or a session's.
ADMINISTRATOR_KEY = "test"


def client_environment(endpoint_url: str, region: str = REGION) -> dict[str, str]:
    """Return the environment of a program that is to use this endpoint and no account.

    The metadata service is switched off, so that a program that drops the credentials fails
    at once and never finds a real account.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": ADMINISTRATOR_KEY,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
