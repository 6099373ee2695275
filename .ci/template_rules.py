"""Rules for the template beyond validity.

    python .ci/template_rules.py template.yaml      (with cfn-lint's Python)
"""

import re
import sys

import operation_rules
from cfnlint.decode import cfn_yaml

template = cfn_yaml.load(sys.argv[1])
parameters, resources, outputs = template["Parameters"], template["Resources"], template["Outputs"]
faults = operation_rules.faults(template)


def hold(condition, fault):
    if not condition:
        faults.append(fault)


def many(value):
    return value if isinstance(value, list) else [value]


def of_type(kind):
    return {name: r.get("Properties", {}) for name, r in resources.items() if r["Type"] == kind}


def policies(role):
    """Those of a role, also the ones that a condition leaves out."""
    for policy in role["Policies"]:
        if "Fn::If" in policy:
            condition, policy, otherwise = policy["Fn::If"]
            hold(otherwise == {"Ref": "AWS::NoValue"}, f"a policy under {condition} has an alternative")
        yield policy


def sentence(text):
    return isinstance(text, str) and text.endswith(".")


# Texts for deployers.
for name, parameter in parameters.items():
    hold(sentence(parameter.get("Description")), f"parameter {name} has no description")
for name, output in outputs.items():
    hold(sentence(output.get("Description")), f"output {name} has no description")
groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
grouped = [name for group in groups for name in group["Parameters"]]
hold(sorted(grouped) == sorted(parameters), "every parameter must be in one of the console's groups")
credential = parameters["FirstCredential"]
hold(credential.get("NoEcho") and "Default" not in credential, "FirstCredential must be NoEcho and have no default")

# Texts for operators on call.
for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
    hold(sentence(alarm.get("AlarmDescription")), f"alarm {name} does not say what to do")
    hold("TreatMissingData" in alarm, f"alarm {name} does not set TreatMissingData")

# Retention.
hold(parameters["EventTtlDays"]["MinValue"] >= 14, "an event may expire before its message")
hold(parameters["DeliveryExtraDays"]["MinValue"] >= 3, "a delivery may expire before its last attempt")
for name, table in of_type("AWS::DynamoDB::Table").items():
    hold(table.get("TimeToLiveSpecification", {}).get("Enabled"), f"table {name} has no TTL")
    hold(table.get("BillingMode") == "PAY_PER_REQUEST", f"table {name} is not on demand")
# The store reads these indexes; see pkg/store/dynamo/doc.go.
indexes = {
    index["IndexName"]: ([key["AttributeName"] for key in index["KeySchema"]], index["Projection"].get("NonKeyAttributes"))
    for index in of_type("AWS::DynamoDB::Table")["DeliveriesTable"]["GlobalSecondaryIndexes"]
}
hold(indexes == {
    "due": (["due_shard", "sweep_at"], ["next_at", "resends", "parked"]),
    "parked": (["pk", "parked"], ["round", "attempt", "count", "replay"]),
}, "DeliveriesTable has other indexes than the store reads")
for name, queue in of_type("AWS::SQS::Queue").items():
    hold(queue.get("MessageRetentionPeriod") == 14 * 24 * 3600, f"queue {name} does not keep messages for 14 days")
for name, group in of_type("AWS::Logs::LogGroup").items():
    hold("RetentionInDays" in group, f"log group {name} has no retention")

# Functions.
for name in ("QueueConcurrency", "SlowConcurrency"):
    hold(parameters[name]["MinValue"] >= 4, f"{name} may let a few slow attempts block a queue")
hold(parameters["ApiConcurrency"]["Default"] == 0, "a reservation fails the deployment of accounts with low quotas")
functions = of_type("AWS::Serverless::Function")
timeouts = {"ApiFunction": 29, "DeliverFunction": 60, "RetryFunction": 150, "SweepFunction": 55, "IngestFunction": 60}
mappings = []
for name, function in functions.items():
    hold(sentence(function.get("Description")), f"{name} does not say what it does")
    group = function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
    hold(group in of_type("AWS::Logs::LogGroup"), f"{name} writes to a log group outside the template")
    hold("Policies" not in function and "Role" in function, f"{name} has no role written in the template")
    hold(function.get("Timeout") == timeouts.get(name, function.get("Timeout")), f"{name} has an unexpected timeout")
    for event in function.get("Events", {}).values():
        if event["Type"] in ("DynamoDB", "SQS"):
            mapping = event["Properties"]
            mappings.append((name, mapping, mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Type") == "S3"))
buckets = {name + ".Arn" for name in of_type("AWS::S3::Bucket")} | {(name, "Arn") for name in of_type("AWS::S3::Bucket")}
for name, mapping in of_type("AWS::Lambda::EventSourceMapping").items():
    destination = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", {}).get("Fn::GetAtt", "")
    mappings.append((name, mapping, (destination if isinstance(destination, str) else tuple(destination)) in buckets))
for name, mapping, kept in mappings:
    hold(mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], f"{name} cannot report partial failures")
    if "StartingPosition" in mapping:
        hold(mapping["StartingPosition"] == "TRIM_HORIZON", f"{name} may miss events while its mapping is being created")
        hold(mapping.get("BisectBatchOnFunctionError") is True, f"{name} loses good records with a bad one")
        hold(mapping.get("MaximumRetryAttempts") == 10, f"{name} gives up too early or never")
        hold(mapping.get("MaximumRecordAgeInSeconds") == -1, f"{name} gives up by age")
        hold(kept, f"{name} does not keep failed records")
    else:
        most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        slow = "SlowQueue" in str(mapping.get("Queue"))
        hold(most == {"Ref": "SlowConcurrency" if slow else "QueueConcurrency"}, f"{name} may use up the account's concurrency")
hold(len(mappings) == 7, f"{len(mappings)} mappings are checked")
for name in ("DeliveryQueue", "SlowQueue"):
    queue = of_type("AWS::SQS::Queue")[name]
    hold(queue["VisibilityTimeout"] >= 6 * timeouts["RetryFunction"], f"a message of {name} may become visible while it is processed")
    hold(queue["RedrivePolicy"]["maxReceiveCount"] == 20, f"a waiting message of {name} becomes a dead letter too early or too late")
queue = of_type("AWS::SQS::Queue")["IngestQueue"]
hold(queue["VisibilityTimeout"] >= 6 * timeouts["IngestFunction"], "an event of the bus may become visible while it is taken")
hold("deadLetterTargetArn" in queue["RedrivePolicy"], "an event that cannot be stored is received until it expires")

# Events from EventBridge and from tables: off by default, without a trace.
for name, resource in resources.items():
    if name.startswith(("Ingest", "Event", "Change")) and name != "EventsTable":
        hold("Condition" in resource, f"{name} exists in a deployment that takes no records")
for name in ("EventBusName", "EventSources", "EventDetailTypes", "EventTenant", "ChangeStreamArn1", "ChangeStreamArn2", "ChangeStreamArn3", "ChangeStreamKeyArn"):
    hold(parameters[name]["Default"] == "", f"{name} is not empty by default")
for value, allowed in {"": True, "shop": True, "posthastes": True, "my.posthaste.": True, "posthaste.": False, "posthaste.webhooks": False}.items():
    matches = re.fullmatch(parameters["EventSources"]["AllowedPattern"], value) is not None
    hold(matches == allowed, f"EventSources {'refuses' if allowed else 'accepts'} {value!r}")
sources = resources["EventRule"]["Properties"]["EventPattern"]["source"]["Fn::If"]
hold(sources == ["AnyEventSource", [{"anything-but": {"prefix": "posthaste."}}], {"Ref": "EventSources"}], "the service's own events may come back to it")
expiry = resources["ChangeFailureBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]
hold(expiry == 14, f"records of tables are kept for {expiry} days")

# Secrets.
root = resources["RootSecret"]
hold("Condition" not in root, "a sealed secret cannot be read after SecretStore was changed back")
hold(root.get("DeletionPolicy") == root.get("UpdateReplacePolicy") == "Retain", "the root keys may be lost")

# Permissions. A statement may be behind a condition: Fn::If of it and nothing.
def unconditional(statement):
    return statement["Fn::If"][1] if "Fn::If" in statement else statement


for name, role in of_type("AWS::IAM::Role").items():
    hold("ManagedPolicyArns" not in role, f"{name} has a managed policy")
    for policy in policies(role):
        statements = [unconditional(s) for s in policy["PolicyDocument"]["Statement"]]
        sids = [s.get("Sid") for s in statements]
        hold(None not in sids and len(set(sids)) == len(sids), f"{name} has statements without a unique Sid")
        for s in statements:
            where = f"{name}/{s.get('Sid')}"
            hold(all("*" not in action for action in many(s["Action"])), f"{where} allows actions by pattern")
            unbound = many(s["Action"]) == ["dynamodb:ListStreams"] or s["Sid"] == "AttachToVpc"  # take no resource
            hold(unbound or "*" not in many(s["Resource"]), f"{where} applies to all resources")

print("\n".join(faults) or "the template follows its rules")
sys.exit(bool(faults))
