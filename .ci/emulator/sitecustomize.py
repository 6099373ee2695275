"""Python runs this before the emulator."""

import json
import socketserver

from ministack.core import iam_actions
from ministack.services import lambda_svc

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

# The resource of a call: for AWS a log stream or a table's stream, for the
# emulator a log group or anything.
_resource = iam_actions.extract_resource_arn


def _exact_resource(service, method, path, headers, body, *args, **kwargs):
    resource = _resource(service, method, path, headers, body, *args, **kwargs)
    if service not in ("logs", "dynamodb", "dynamodbstreams"):
        return resource
    try:
        call = json.loads(body or b"{}")
    except ValueError:
        return resource
    if service == "logs":
        stream = call.get("logStreamName")
        return f"{resource}:log-stream:{stream}" if stream else resource
    if call.get("ShardIterator"):
        from ministack.services import dynamodb_streams

        read = dynamodb_streams._decode_iterator(call["ShardIterator"]) or {}
        return read.get("arn") or resource
    return call.get("StreamArn") or resource


iam_actions.extract_resource_arn = _exact_resource

# CloudFormation turns a parameter's value into the number that a property asks
# for; the emulator stores the string, and its poller compares it with numbers.
_concurrency = lambda_svc._sqs_esm_concurrency


def _numeric_concurrency(esm, *args, **kwargs):
    scaling = esm.get("ScalingConfig") or {}
    if isinstance(scaling.get("MaximumConcurrency"), str):
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return _concurrency(esm, *args, **kwargs)


lambda_svc._sqs_esm_concurrency = _numeric_concurrency
