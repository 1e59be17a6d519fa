import pytest

from scones_core.errors import DeployError
from scones_toolkit.tasks.predict.models import endpoint_model
from tests.functional.scones_toolkit.tasks.conftest import DEPLOYMENT, SESSION, LocalProject


def test_an_endpoint_that_a_pause_took_down_is_asked_for_by_name(project: LocalProject) -> None:
    vars(project)["deployment"] = DEPLOYMENT
    project.clients["sagemaker"] = SESSION.client("sagemaker")
    words = f"endpoint {DEPLOYMENT.endpoint_name} is not there, as after inv pause: inv apply"
    with pytest.raises(DeployError, match=words):
        endpoint_model(project)
