"""Fuzzes the local run at POSTHASTE_URL by its own OpenAPI document, and then
checks that no target on another machine was stored.

Usage: fuzz.py, with Schemathesis installed for this Python.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import fuzz_hooks

BASE = os.environ["POSTHASTE_URL"]
HERE = pathlib.Path(__file__).parent


def call(method, path, body=None, credential=fuzz_hooks.USER):
    request = urllib.request.Request(BASE + path, method=method, data=body and json.dumps(body).encode())
    request.add_header("Authorization", fuzz_hooks.basic(credential))
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def main():
    for n in range(fuzz_hooks.WEBHOOKS):
        call("POST", "/api/v1/Webhook", {
            "Name": f"fuzz {n}", "Events": ["contact.*"], "TargetUrl": fuzz_hooks.RECEIVER, "Secret": "Something Super Secret",
        })
    call("POST", "/admin/v1/Tenants", {"Name": fuzz_hooks.TENANT}, fuzz_hooks.ADMIN)
    ended = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml",
            "run", BASE + "/api/v1/openapi.json", "--url", BASE,
        ],
        env={**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    webhooks = call("GET", "/api/v1/Webhook")
    elsewhere = [w["TargetUrl"] for w in webhooks if not w["TargetUrl"].startswith(fuzz_hooks.RECEIVER)]
    if elsewhere:
        sys.exit(f"targets on other machines were stored: {elsewhere}")
    if all(w["Name"] and w["Name"].startswith("fuzz ") for w in webhooks):
        sys.exit("the fuzzer changed nothing: are its calls authorized?")
    print(f"{len(webhooks)} webhooks exist now, all with targets on this machine")
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
