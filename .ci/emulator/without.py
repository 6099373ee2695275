"""Removes one statement from a template's roles, or lists all of them.

    python .ci/emulator/without.py TEMPLATE                       lists Role/Sid
    python .ci/emulator/without.py TEMPLATE Role/Sid >ALTERED
"""

import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml.safe_load(file)
wanted = sys.argv[2] if len(sys.argv) > 2 else None
found = False
for name, resource in template["Resources"].items():
    if resource["Type"] != "AWS::IAM::Role":
        continue
    for policy in resource["Properties"]["Policies"]:
        if "Fn::If" in policy:
            policy = policy["Fn::If"][1]
        document = policy["PolicyDocument"]
        for statement in list(document["Statement"]):
            if statement.get("Fn::If", [None])[0] == "HasVpc":
                continue  # the emulator attaches no function to a network
            # A statement may be behind a condition: Fn::If of it and nothing.
            sid = f"{name}/{statement.get('Fn::If', [None, statement])[1]['Sid']}"
            if wanted is None:
                print(sid)
            elif sid == wanted:
                document["Statement"].remove(statement)
                found = True
if wanted:
    if not found:
        sys.exit(f"no statement {wanted}")
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # Forces a restart: a running process caches what it could read before.
            variables = resource["Properties"].setdefault("Environment", {}).setdefault("Variables", {})
            variables["STARTED_WITHOUT"] = wanted
    yaml.safe_dump(template, sys.stdout, sort_keys=False)
