"""Breaks the template in one way at a time: operation_rules.py must say so.

    python .ci/operation_rules_test.py template.yaml      (with cfn-lint's Python)
"""

import copy
import sys

import operation_rules
from cfnlint.decode import cfn_yaml


def properties(template, name):
    return template["Resources"][name]["Properties"]


def unwatch(alarm, number):
    return lambda t: properties(t, alarm)["Metrics"].pop(number)


def change(name, **to):
    return lambda t: properties(t, name).update(to)


def remove(name):
    return lambda t: t["Resources"].pop(name)


def statement(template, role, sid):
    return next(s for s in operation_rules.statements(properties(template, role)) if s["Sid"] == sid)


def keys(template, role, sid):
    return statement(template, role, sid)["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def board(text, instead):
    def edit(t):
        body = properties(t, "Dashboard")["DashboardBody"]
        body["Fn::Sub"] = body["Fn::Sub"].replace(text, instead)

    return edit


BREAKS = {
    "no alarm is raised if RetryFunction fails": unwatch("FunctionErrorsAlarm", 3),
    "no alarm is raised if ApiFunction is throttled": unwatch("FunctionThrottlesAlarm", 1),
    "no alarm is raised if IngestFunction is throttled": unwatch("FunctionThrottlesAlarm", 5),
    "no alarm is raised if DeliverFunction falls behind": remove("DeliveryBehindAlarm"),
    "a sweep that does not run counts as healthy": change("SweepFailingAlarm", TreatMissingData="notBreaching"),
    "a sweep may fail for longer than 5 minutes": change("SweepFailingAlarm", EvaluationPeriods=15),
    "a silent DeliverFunction counts as healthy: EventsStored is not watched": unwatch("DeliverySilentAlarm", 1),
    "ApproximateAgeOfOldestMessage of the delivery queue is not watched": unwatch("QueueBehindAlarm", 1),
    "ApproximateNumberOfMessagesVisible of the delivery queue is not watched": unwatch("QueueBehindAlarm", 2),
    "the account's concurrency is not watched": remove("ConcurrencyAlarm"),
    "an error that RetryFunction logs reaches no one": remove("RetryErrors"),
    "an error that SweepFunction logs reaches no one": change("SweepErrors", FilterPattern='{ $.msg = "delivery stuck" }'),
    "no alarm is raised on error lines": remove("ErrorsLoggedAlarm"),
    "no log line makes the metric SilentSources": remove("SilentSources"),
    "LoopCutAlarm exists in dev": lambda t: t["Resources"]["LoopCutAlarm"].pop("Condition"),
    "LoopCutAlarm does not notify the topic and the address": lambda t: properties(t, "LoopCutAlarm")["AlarmActions"].pop(),
    "LoopCutAlarm does not say when it ends": lambda t: properties(t, "LoopCutAlarm").pop("OKActions"),
    "QueueBehindAlarm must return one expression": unwatch("QueueBehindAlarm", 0),
    "RetryRole/KeepHealthAndDisable reaches credentials, tenants or jobs": lambda t: statement(t, "RetryRole", "KeepHealthAndDisable").pop("Condition"),
    "DeliverRole/FindWebhooks reaches credentials, tenants or jobs": lambda t: keys(t, "DeliverRole", "FindWebhooks").append("C#*"),
    "IngestRole/CountRecords allows calls without a key": lambda t: statement(t, "IngestRole", "CountRecords")["Condition"].pop("Null"),
    "UserAgent may be 'a\"b'": lambda t: t["Parameters"]["UserAgent"].pop("AllowedPattern"),
    "AlarmTopic may be 'arn:aws:sns:eu-west-1:111122223333:ab '": lambda t: t["Parameters"]["AlarmTopic"].update(AllowedPattern="(arn:[a-z-]+:sns:.+)?"),
    "EventsTable may be deleted with its stack, or block a rollback": lambda t: t["Resources"]["EventsTable"].update(DeletionPolicy="Delete"),
    "the access log takes a part of the account's resource policy": change("ApiAccessLog", LogGroupName={"Fn::Sub": "/aws/apigateway/${AWS::StackName}"}),
    "DeliveryQueue can be used without TLS": lambda t: properties(t, "QueuePolicy")["Queues"].pop(0),
    "IngestQueue can be used without TLS": lambda t: properties(t, "IngestQueuePolicy")["PolicyDocument"]["Statement"].pop(),
    "FailureBucket can be used without TLS": remove("FailureBucketPolicy"),
    "DeadLetterQueue takes the dead letters of any queue": lambda t: properties(t, "DeadLetterQueue").pop("RedriveAllowPolicy"),
    "the API takes any number of calls": lambda t: properties(t, "ApiStage").pop("DefaultRouteSettings"),
    "the access log has no routeKey": lambda t: properties(t, "ApiStage").update(AccessLogSettings={"Format": "{}"}),
    "sweeps pile up behind a throttled one": change("SweepFunction", EventInvokeConfig={"MaximumRetryAttempts": 0}),
    "RetryFunction does not run in the VPC of the targets": lambda t: properties(t, "RetryFunction").pop("VpcConfig"),
    "SweepFunction runs in the VPC of the targets": change("SweepFunction", VpcConfig={}),
    "DeliverFunction cannot attach to a VPC": lambda t: statement(t, "DeliverRole", "AttachToVpc").update(Sid="Other"),
    "no alarm watches Latency": remove("ApiSlowAlarm"),
    "no alarm watches Lateness": remove("DeliveriesLateAlarm"),
    "no alarm watches DeliveriesInNet": remove("DeliveriesForgottenAlarm"),
    "no alarm watches Failed": unwatch("DeliveriesFailingAlarm", 6),
    "WriteThrottleEvents of WebhooksTable are not watched": unwatch("TablesThrottledAlarm", 2),
    "nobody sees the metric BreakersOpened": board("BreakersOpened", "WebhooksDisabled"),
    "no log line makes the metric Sent of the dashboard": board('"Delivered"', '"Sent"'),
    "the dashboard names RetyFunction, which does not exist": board("${RetryFunction}", "${RetyFunction}"),
    "the number of metrics Delivered grows with Webhook": lambda t: properties(t, "DeliveredFast")["MetricTransformations"][0]["Dimensions"].append({"Key": "Webhook", "Value": "$.webhook_id"}),
    "functions have no alias to roll back": lambda t: t["Globals"]["Function"].pop("AutoPublishAlias"),
    "a change of RetryFunction does not take effect": lambda t: properties(t, "RetryFunction").pop("AutoPublishCodeSha256"),
    "a version of an unchanged function cannot be published": lambda t: t["Globals"]["Function"]["Environment"]["Variables"].pop("DEPLOYMENT"),
    "ApiPermission does not name the alias": change("ApiPermission", FunctionName={"Ref": "ApiFunction"}),
    "ChangeMapping2 does not name the alias": change("ChangeMapping2", FunctionName={"Ref": "IngestFunction"}),
    "InvokeIngest does not name the alias": lambda t: statement(t, "SweepRole", "InvokeIngest").update(Resource="x"),
    "WebhooksTable exists next to a restored one": lambda t: t["Resources"]["WebhooksTable"].pop("Condition"),
    "prod may have alarms that notify nobody": lambda t: t["Rules"].pop("SomeoneIsPaged"),
}

template = cfn_yaml.load(sys.argv[1])
missed = []
for fault, break_it in BREAKS.items():
    broken = copy.deepcopy(template)
    break_it(broken)
    if fault not in operation_rules.faults(broken):
        missed.append(f"not noticed: {fault}")
print("\n".join(missed) or f"each of {len(BREAKS)} broken templates is noticed")
sys.exit(bool(missed))
