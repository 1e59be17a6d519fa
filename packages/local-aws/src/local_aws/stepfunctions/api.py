"""Operations on state machines that moto lacks, or takes too lightly."""

import json
from itertools import chain
from typing import Any

from local_aws.core.patching import implement, replace, wrap
from local_aws.stepfunctions.definition_checks import unsupported_features
from local_aws.stepfunctions.query_checks import reused_variables


def install() -> None:
    """Mend what a definition goes through, and add versions."""
    _name_errors()
    _refuse_what_cannot_run()
    _validate()
    _versions()
    _refuse_another_definition()


def _name_errors() -> None:
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser import api

    for name, kind in sorted(vars(api).items()):
        if not isinstance(kind, type) or not issubclass(kind, AWSError) or kind is AWSError:
            continue
        if kind.TYPE is None:
            replace(kind, "TYPE", name, fault="answers with an error that has no code")


def _refuse_what_cannot_run() -> None:
    from moto.stepfunctions.responses import StepFunctionResponse

    fault = "takes what it cannot run, and then fails at each execution"

    @wrap(StepFunctionResponse, "create_state_machine", fault=fault)
    def create(original: Any, response: Any) -> Any:
        kind = response._get_param("type") or "STANDARD"
        _require_runnable(response._get_param("definition"), kind)
        return original(response)

    @wrap(StepFunctionResponse, "update_state_machine", fault=fault)
    def update(original: Any, response: Any) -> Any:
        definition = response._get_param("definition")
        if definition is not None:
            machine = _machine(response, response._get_param("stateMachineArn"))
            _require_runnable(definition, machine.type)
        return original(response)


def _require_runnable(text: str, machine_type: str) -> None:
    from moto.stepfunctions.parser.api import InvalidDefinition
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    parsed = _parsed(text)
    refused = chain(unsupported_features(parsed, machine_type), reused_variables(parsed))
    found = next(refused, None)
    if found is not None:
        raise InvalidDefinition(f"Invalid State Machine Definition: '{found}'")
    StepFunctionsParserBackend._validate_definition(text)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # what the parser says of it is clearer


def _validate() -> None:
    from moto.core.responses import ActionResult
    from moto.stepfunctions.parser.api import InvalidDefinition
    from moto.stepfunctions.responses import StepFunctionResponse

    @implement(StepFunctionResponse, "validate_state_machine_definition", fault="is missing")
    def validate_state_machine_definition(response: Any) -> Any:
        diagnostics = []
        try:
            kind = response._get_param("type") or "STANDARD"
            _require_runnable(response._get_param("definition"), kind)
        except InvalidDefinition as error:
            code = "SCHEMA_VALIDATION_FAILED"
            message = str(getattr(error, "message", error))
            diagnostics.append({"severity": "ERROR", "code": code, "message": message})
        result = "FAIL" if diagnostics else "OK"
        return ActionResult({"result": result, "diagnostics": diagnostics, "truncated": False})


def _versions() -> None:
    from moto.core.responses import ActionResult, EmptyResult
    from moto.stepfunctions.responses import StepFunctionResponse

    @implement(StepFunctionResponse, "list_state_machine_versions", fault="is missing")
    def list_state_machine_versions(response: Any) -> Any:
        machine = _machine(response, response._get_param("stateMachineArn"))
        versions = [
            {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
            for _, version in sorted(machine.versions.items(), reverse=True)
        ]
        return ActionResult({"stateMachineVersions": versions})

    @implement(StepFunctionResponse, "publish_state_machine_version", fault="is missing")
    def publish_state_machine_version(response: Any) -> Any:
        machine = _machine(response, response._get_param("stateMachineArn"))
        machine.publish(response._get_param("description"))
        version = machine.latest_version
        return ActionResult(
            {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
        )

    @implement(StepFunctionResponse, "delete_state_machine_version", fault="is missing")
    def delete_state_machine_version(response: Any) -> Any:
        arn, _, number = response._get_param("stateMachineVersionArn").rpartition(":")
        machine = _machine(response, arn)
        _refuse_routed(machine, f"{arn}:{number}")
        machine.versions.pop(int(number), None)
        return EmptyResult()


def _machine(response: Any, arn: str) -> Any:
    return response.stepfunction_backend.describe_state_machine(arn)


def _refuse_routed(machine: Any, version_arn: str) -> None:
    from moto.core.exceptions import AWSError

    for alias in machine.aliases.values():
        routed = [route["stateMachineVersionArn"] for route in alias.routing_configuration]
        if version_arn in routed:
            raise AWSError(
                f"Version to be deleted must not be referenced by an alias: {alias.arn}",
                "ConflictException",
            )


def _refuse_another_definition() -> None:
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    fault = "answers with the machine that is there, whatever was asked for"

    @wrap(StepFunctionsParserBackend, "create_state_machine", fault=fault)
    def create_state_machine(
        original: Any, backend: Any, name: str, definition: str, *args: Any, **more: Any
    ) -> Any:
        machine = original(backend, name, definition, *args, **more)
        if machine.definition != definition:
            raise AWSError(
                f"State Machine Already Exists: '{machine.arn}'", "StateMachineAlreadyExists"
            )
        return machine
