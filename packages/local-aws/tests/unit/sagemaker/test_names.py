import pytest

from local_aws.sagemaker.names import InvalidName, require_channel_name, require_resource_name


@pytest.mark.parametrize("name", ["a", "AllTraffic", "scones-20261120-1432-ab12", "a" * 63])
def test_the_documented_names_are_taken(name: str) -> None:
    require_resource_name("endpointName", name)


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a.b", "-a", "a-", "a" * 64, "a\n", None])
def test_a_name_that_could_leave_its_folder_is_refused(name: object) -> None:
    with pytest.raises(InvalidName, match="at 'endpointName' failed to satisfy"):
        require_resource_name("endpointName", name)


@pytest.mark.parametrize("name", ["train", "train_lst", "v1.2-x"])
def test_the_documented_channels_are_taken(name: str) -> None:
    require_channel_name(name)


@pytest.mark.parametrize("name", [".", "..", "a/b", "", "x" * 65])
def test_a_channel_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="channelName"):
        require_channel_name(name)
