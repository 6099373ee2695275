"""Adapts the fuzzer's requests to make them useful and keep them on this machine.

No target may be elsewhere: everything in a body that could be a URL is replaced
by the local run's own receiver. Most ids are those of existing webhooks, most
idempotency keys are new, and administration is limited to one tenant.
"""

import base64
import itertools
import os

import schemathesis

RECEIVER = os.environ["POSTHASTE_URL"] + "/_receiver"
WEBHOOKS = 20  # as many as the test creates before the fuzzer starts


USER, ADMIN = "tje0:Tje0", "admin:admin"
TENANT = "Fuzz"  # created by fuzz.py

calls = itertools.count()


def basic(credential):
    return "Basic " + base64.b64encode(credential.encode()).decode()


def at_home(value):
    """A target is an absolute URL, so only strings with "//" can be one."""
    if isinstance(value, str):
        return RECEIVER if "//" in value else value
    if isinstance(value, bytes):
        return value.replace(b"//", b"")
    if isinstance(value, dict):
        return {key: at_home(each) for key, each in value.items()}
    if isinstance(value, list):
        return [at_home(each) for each in value]
    return value


def known(value):
    """Maps four of five ids to those of the first webhooks."""
    if isinstance(value, int) and not isinstance(value, bool) and value % 5:
        return 1 + value % WEBHOOKS
    return value


@schemathesis.hook
def before_call(ctx, case, **kwargs):
    administers = case.operation.path.startswith("/admin/")
    case.headers = {**(case.headers or {}), "Authorization": basic(ADMIN if administers else USER)}
    case.headers.pop("SO-AppToken", None)  # a generated one never matches the credential
    case.body = at_home(case.body)
    for part, name in ((case.path_parameters, "id"), (case.query, "webhookId")):
        if part and name in part:
            part[name] = known(part[name])
    if case.path_parameters and "tenant" in case.path_parameters:
        # Never the fuzzer's own tenant; and the known one is never deleted.
        deletes = case.operation.path.endswith("{tenant}")
        case.path_parameters["tenant"] = "Gone" if deletes else TENANT
    call = next(calls)
    if call % 10 and isinstance(case.headers.get("Idempotency-Key"), str):
        case.headers["Idempotency-Key"] += str(call)
