"""Answers of Lambda: the parts of a function's configuration that moto drops."""

from typing import Any

from local_aws.core.patching import wrap

_KEPT = ("DeadLetterConfig", "LoggingConfig", "KMSKeyArn", "FileSystemConfigs", "SnapStart")


def install() -> None:
    """Patch functions and event source mappings."""
    _function()
    _event_source_mapping()


def _function() -> None:
    from moto.awslambda.models import LambdaFunction

    fault = "drops dead-letter, logging and further settings of a function"

    @wrap(LambdaFunction, "__init__", fault=fault)
    def create(original: Any, function: Any, *args: Any, **more: Any) -> None:
        spec = more["spec"] if "spec" in more else args[1]
        function.kept = {key: spec[key] for key in _KEPT if spec.get(key)}
        original(function, *args, **more)

    @wrap(LambdaFunction, "update_configuration", fault=fault)
    def update_configuration(original: Any, function: Any, updates: dict[str, Any]) -> Any:
        kept = {key: updates[key] for key in _KEPT if key in updates}
        # A published version shares the dictionary, so it is replaced and never changed.
        function.kept = {key: value for key, value in {**function.kept, **kept}.items() if value}
        if storage := updates.get("EphemeralStorage"):
            function.ephemeral_storage = storage["Size"]
        if tracing := updates.get("TracingConfig"):
            function.tracing_config = tracing
        if "Environment" in updates:  # an empty one, as of a removed block, has no Variables
            variables = updates["Environment"].get("Variables", {})
            updates = {**updates, "Environment": {"Variables": variables}}
        original(function, updates)
        return function.get_configuration()

    @wrap(LambdaFunction, "get_configuration", fault=fault)
    def get_configuration(original: Any, function: Any, on_create: bool = False) -> Any:
        configuration = original(function, on_create)
        configuration.update(function.kept)
        group = f"/aws/lambda/{function.function_name}"
        logging = {"LogFormat": "Text", "LogGroup": group, **function.kept.get("LoggingConfig", {})}
        configuration["LoggingConfig"] = logging
        if "SnapStart" in function.kept:
            snap = {"OptimizationStatus": "Off", **function.kept["SnapStart"]}
            configuration["SnapStart"] = snap
        return configuration


def _event_source_mapping() -> None:
    from moto.awslambda.models import EventSourceMapping

    fault = "answers with a version's ARN where an alias was given"

    @wrap(EventSourceMapping, "get_configuration", fault=fault)
    def get_configuration(original: Any, mapping: Any) -> Any:
        configuration = original(mapping)
        if mapping.function_name.startswith("arn:"):
            configuration["FunctionArn"] = mapping.function_name
        return configuration
