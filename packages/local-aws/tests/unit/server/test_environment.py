from local_aws.server.environment import server_environment


def test_the_server_has_no_secret_of_the_developer() -> None:
    given = {
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_PROFILE": "prod",
        "GITHUB_TOKEN": "t",
        "HTTPS_PROXY": "http://user:password@proxy",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "DATABASE_URL": "postgres://user:password@host",
    }
    found = server_environment(given)
    assert not found.keys() & given.keys()


def test_the_server_keeps_what_it_needs() -> None:
    given = {"PATH": "/bin", "LC_ALL": "C", "LOCAL_AWS_IAM": "off", "PYTHONPATH": "/src"}
    found = server_environment(given)
    assert {name: found[name] for name in ("PATH", "LC_ALL", "LOCAL_AWS_IAM")} == {
        name: given[name] for name in ("PATH", "LC_ALL", "LOCAL_AWS_IAM")
    }
    assert found["PYTHONPATH"].endswith("/src")
    assert server_environment(found) == found
