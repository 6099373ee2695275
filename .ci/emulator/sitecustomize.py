"""Python runs this before the emulator."""

import contextvars
import json
import re
import socketserver

from ministack.core import iam_actions, iam_evaluator
from ministack.services import lambda_svc
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

# Responses are written in small pieces; without Nagle's algorithm a warm call
# takes 8 ms instead of 100.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

# AWS authorizes a batch as the single action on each entry; the emulator looks
# for a permission with the batch's name, which does not exist.
_action = iam_actions.extract_iam_action


def _single_action(*args, **kwargs):
    action = _action(*args, **kwargs)
    if isinstance(action, str) and action.startswith("sqs:"):
        return action.removesuffix("Batch")
    return action


iam_actions.extract_iam_action = _single_action

# The emulator is called over plain HTTP, which policies deny on AWS.
iam_evaluator._request_origin.set(("127.0.0.1", True))
_pin = iam_evaluator.pin_request_origin
iam_evaluator.pin_request_origin = lambda source, secure: _pin(source, True)

# The resource of a call: for AWS a log stream or a table's stream, for the
# emulator a log group or anything.
_resource = iam_actions.extract_resource_arn

# The partition keys of a call of DynamoDB, which a policy may name; the emulator
# does not know them. Each is (table, action, key); an action of None is the call's.
_leading_keys = contextvars.ContextVar("leading keys", default=())
_first_equality = re.compile(r"pk = (:\w+)")


def _keys(call):
    for table, request in (call.get("RequestItems") or {}).items():  # BatchGetItem
        for key in request.get("Keys", []):
            yield table, None, key["pk"]["S"]
    for item in call.get("TransactItems") or []:
        for kind, one in item.items():
            action = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}[kind]
            yield one["TableName"], "dynamodb:" + action, (one.get("Key") or one["Item"])["pk"]["S"]
    table, own = call.get("TableName"), call.get("Key") or call.get("Item") or {}
    if own.get("pk"):
        yield table, None, own["pk"]["S"]
    queried = _first_equality.search(call.get("KeyConditionExpression", ""))
    if queried:
        yield table, None, call["ExpressionAttributeValues"][queried[1]]["S"]


def _exact_resource(service, method, path, headers, body, *args, **kwargs):
    resource = _resource(service, method, path, headers, body, *args, **kwargs)
    if service not in ("logs", "dynamodb", "dynamodbstreams"):
        return resource
    try:
        call = json.loads(body or b"{}")
    except ValueError:
        return resource
    _leading_keys.set(tuple(_keys(call)) if service == "dynamodb" else ())
    if service == "logs":
        stream = call.get("logStreamName")
        return f"{resource}:log-stream:{stream}" if stream else resource
    if call.get("ShardIterator"):
        from ministack.services import dynamodb_streams

        read = dynamodb_streams._decode_iterator(call["ShardIterator"]) or {}
        return read.get("arn") or resource
    return call.get("StreamArn") or resource


iam_actions.extract_resource_arn = _exact_resource

_condition_key = iam_evaluator._resolve_condition_key


def _with_leading_keys(key, context):
    if key.lower() != "dynamodb:leadingkeys":
        return _condition_key(key, context)
    table = context.resource_arn.split("/")[1]
    return [k for of, action, k in _leading_keys.get() if of == table and action in (None, context.action)] or None


iam_evaluator._resolve_condition_key = _with_leading_keys

# CloudFormation turns a parameter's value into the number that a property asks
# for; the emulator stores the string, and its poller compares it with numbers.
_concurrency = lambda_svc._sqs_esm_concurrency


def _numeric_concurrency(esm, *args, **kwargs):
    scaling = esm.get("ScalingConfig") or {}
    if isinstance(scaling.get("MaximumConcurrency"), str):
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return _concurrency(esm, *args, **kwargs)


lambda_svc._sqs_esm_concurrency = _numeric_concurrency

# CloudFormation joins lists in conditions, which is how a template finds that a
# list is empty; the emulator does not.
_conditions = engine._evaluate_conditions


def _joined(value, params):
    if isinstance(value, list):
        return [_joined(v, params) for v in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        delimiter, listed = value["Fn::Join"]
        return delimiter.join(v.strip() for v in params[listed["Ref"]]["Value"].split(","))
    return {name: _joined(v, params) for name, v in value.items()}


def _with_joins(template, params):
    return _conditions({**template, "Conditions": _joined(template.get("Conditions", {}), params)}, params)


for module in (engine, changesets, handlers, provisioners, stacks):
    if hasattr(module, "_evaluate_conditions"):
        module._evaluate_conditions = _with_joins

# The emulator stores alarms on a single metric only: an alarm on an expression is
# stored with the first metric that the expression reads.
_alarm = provisioners._cw_metric_alarm_record


def _with_first_metric(name, props):
    if props.get("Metrics"):
        stat = next(m["MetricStat"] for m in props["Metrics"] if "MetricStat" in m)
        props = {**props, **stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"]}
        del props["Metrics"]
    return _alarm(name, props)


provisioners._cw_metric_alarm_record = _with_first_metric
