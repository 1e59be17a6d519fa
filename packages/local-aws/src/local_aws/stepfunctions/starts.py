"""StartExecution: names, aliases, versions, Express and Standard."""

import datetime
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from local_aws.core.patching import wrap
from local_aws.stepfunctions import retention
from local_aws.stepfunctions.error_names import MAX_STATE_BYTES


def install() -> None:
    """Mend what starts an execution, and what an Express one cannot be asked."""
    _start()
    _refuse_express_arns()


def _start() -> None:
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    fault = "names an execution None, knows no alias and no Express, and copies the whole machine"

    @wrap(StepFunctionsParserBackend, "start_execution", fault=fault)
    def start_execution(
        _: Any,
        backend: Any,
        state_machine_arn: str,
        name: str | None = None,
        execution_input: str | None = None,
        trace_header: str | None = None,
    ) -> Any:
        return _started(backend, state_machine_arn, name, execution_input, trace_header)


def _started(
    backend: Any, arn: str, name: str | None, text: str | None, trace_header: str | None
) -> Any:
    from moto.stepfunctions.parser.backend.execution import Execution

    check_input(text)
    if name:
        backend._validate_name(name)
    base_arn, qualified = split(arn)
    base = backend.describe_state_machine(base_arn)
    if name and base.type != "EXPRESS":
        existing = base._handle_name_input_idempotency(name, text)
        if existing is not None:
            return existing
    execution = new_execution(
        Execution, backend, arn, name or str(uuid.uuid4()), request_data(text, trace_header)
    )
    target = execution.state_machine.arn
    execution.version_arn = target if qualified else None
    execution.alias_arn = arn if qualified and target != arn else None
    if base.type != "EXPRESS":  # nothing can be asked about an Express execution later
        base.executions.append(execution)
        retention.forget(base.executions)
    execution.start()
    return execution


def new_execution(
    kind: Callable[..., Any], backend: Any, arn: str, name: str, given: dict[str, Any]
) -> Any:
    """Return an execution of moto's class `kind` that is not started.

    `arn` names a machine, a version or an alias; `given` is from `request_data`.
    """
    base_arn, qualified = split(arn)
    machine = backend.describe_state_machine(_version_of(backend, arn) if qualified else arn)
    prefix = f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}"
    express = machine.type == "EXPRESS"
    middle = f"{'express' if express else 'execution'}:{machine.name}:{name}"
    execution = kind(
        name=name,
        sm_type=machine.type,
        role_arn=machine.roleArn,
        exec_arn=f"{prefix}:{middle}:{uuid.uuid4()}" if express else f"{prefix}:{middle}",
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=_Snapshot(machine),
        start_date=datetime.datetime.now(datetime.UTC),
        cloud_watch_logging_session=None,
        activity_store={},
        **given,
    )
    execution.state_machine_arn = base_arn
    return execution


def request_data(text: str | None, trace_header: str | None) -> dict[str, Any]:
    """Return a request's input and trace header as `new_execution` takes them."""
    return {"input_data": "{}" if text is None else text, "trace_header": trace_header}


class _Snapshot:
    """What an execution goes by, whatever becomes of its machine while it runs."""

    def __init__(self, machine: Any) -> None:
        self.arn, self.name, self.definition = machine.arn, machine.name, machine.definition
        self.type = self.sm_type = machine.type
        self.roleArn, self.loggingConfiguration = machine.roleArn, machine.loggingConfiguration


def split(arn: str) -> tuple[str, bool]:
    """Return the machine's own ARN, and whether `arn` names a version or an alias of it."""
    parts = arn.split(":")
    return ":".join(parts[:7]), len(parts) > 7


def _version_of(backend: Any, arn: str) -> str:
    """Return the version that an ARN stands for; an alias draws one by its weights."""
    if arn.rsplit(":", 1)[1].isnumeric():
        return arn
    routes = backend.describe_state_machine_alias(arn).routing_configuration
    weights = [route["weight"] for route in routes]
    drawn: str = random.choices(routes, weights)[0]["stateMachineVersionArn"]  # noqa: S311
    return drawn


def check_input(text: str | None) -> None:
    """Refuse an input of more than 262,144 bytes, and one that is no JSON."""
    from moto.stepfunctions.exceptions import ValidationException
    from moto.stepfunctions.parser.api import InvalidExecutionInput

    if text is None:
        return
    if len(text.encode("utf-8", "surrogatepass")) > MAX_STATE_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_STATE_BYTES}"
        )
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error


def _refuse_express_arns() -> None:
    from moto.stepfunctions.exceptions import InvalidArn
    from moto.stepfunctions.models import StepFunctionBackend

    fault = "says that an Express execution does not exist, where it cannot be asked about"

    @wrap(StepFunctionBackend, "_validate_execution_arn", fault=fault)
    def validate(original: Any, backend: Any, execution_arn: str) -> None:
        if ":express:" in execution_arn:
            raise InvalidArn("Invalid Arn: 'Resource type not valid in this context: express'")
        original(backend, execution_arn)
