"""Rules for what pages an operator, and for what a mistake must not reach:
template_rules.py applies them, and operation_rules_test.py breaks each."""

import json
import re

NOTHING = {"Ref": "AWS::NoValue"}
ERROR = '{ $.level = "ERROR" }'
OURS = {"Fn::Sub": "Posthaste/${AWS::StackName}"}


def watched(alarm):
    """The metrics of an alarm: (namespace, name, what its dimension refers to)."""
    entries = alarm.get("Metrics", [alarm])
    for entry in entries:
        if "Fn::If" in entry:
            entry = entry["Fn::If"][1]
        metric = entry["MetricStat"]["Metric"] if "MetricStat" in entry else entry
        if "MetricName" not in metric:
            continue
        of = [d["Value"] for d in metric.get("Dimensions", [])]
        of = of[0] if of else {}
        if isinstance(of, dict) and "Fn::If" in of:
            of = of["Fn::If"][1]
        of = of if isinstance(of, str) else of.get("Ref") or of.get("Fn::GetAtt", [""])
        namespace = metric["Namespace"]
        yield ("ours" if namespace == OURS else namespace, metric["MetricName"], of if isinstance(of, str) else of[0])


def statements(role):
    """Those of a role, also the ones that a condition leaves out."""
    for policy in role["Policies"]:
        for statement in policy.get("Fn::If", [None, policy])[1]["PolicyDocument"]["Statement"]:
            yield statement.get("Fn::If", [None, statement])[1]


def faults(template):
    resources, found = template["Resources"], []

    def hold(condition, fault):
        if not condition:
            found.append(fault)

    def of_type(kind):
        return {name: r["Properties"] for name, r in resources.items() if r["Type"] == kind}

    def properties_of(name):
        return resources[name]["Properties"]

    alarms = of_type("AWS::CloudWatch::Alarm")
    metrics = {name: list(watched(alarm)) for name, alarm in alarms.items()}
    everything = {metric for listed in metrics.values() for metric in listed}
    for name, alarm in alarms.items():
        hold(resources[name].get("Condition", "").endswith("Alarms"), f"{name} exists in dev")
        actions = [a["Fn::If"] for a in alarm.get("AlarmActions", []) if "Fn::If" in a]
        hold(
            actions == [["HasAlarmTopic", {"Ref": "AlarmTopic"}, NOTHING], ["HasAlarmEmail", {"Ref": "AlarmEmailTopic"}, NOTHING]],
            f"{name} does not notify the topic and the address",
        )
        hold(alarm.get("OKActions") == alarm.get("AlarmActions"), f"{name} does not say when it ends")
        if "Metrics" in alarm:
            returned = [m for m in alarm["Metrics"] if "Fn::If" not in m and m.get("ReturnData", True)]
            hold(len(returned) == 1 and "Expression" in returned[0], f"{name} must return one expression")

    # Failing, refused and silent functions.
    functions = of_type("AWS::Serverless::Function")
    for name, function in functions.items():
        hold(("AWS/Lambda", "Errors", name) in everything, f"no alarm is raised if {name} fails")
        hold(("AWS/Lambda", "Throttles", name) in metrics.get("FunctionThrottlesAlarm", []), f"no alarm is raised if {name} is throttled")
        hold(("AWS/Lambda", "IteratorAge", name) in everything or name not in ("DeliverFunction", "IngestFunction"), f"no alarm is raised if {name} falls behind")
    sweep = alarms.get("SweepFailingAlarm", {})
    hold(sweep.get("TreatMissingData") == "breaching", "a sweep that does not run counts as healthy")
    hold(sweep.get("EvaluationPeriods") == 5, "a sweep may fail for longer than 5 minutes")
    hold(("AWS/Lambda", "Invocations", "SweepFunction") in metrics.get("SweepFailingAlarm", []), "a sweep that does not run counts as healthy")
    for metric in (("ours", "EventsStored", ""), ("AWS/Lambda", "Invocations", "DeliverFunction")):
        hold(metric in metrics.get("DeliverySilentAlarm", []), f"a silent DeliverFunction counts as healthy: {metric[1]} is not watched")
    for metric in ("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"):
        hold(("AWS/SQS", metric, "DeliveryQueue") in metrics.get("QueueBehindAlarm", []), f"{metric} of the delivery queue is not watched")
    hold(("AWS/SQS", "ApproximateAgeOfOldestMessage", "SlowQueue") in metrics.get("QueueBehindAlarm", []), "the age of the slow queue is not watched")
    hold(("AWS/Lambda", "ConcurrentExecutions", "") in everything, "the account's concurrency is not watched")

    for metric in (("AWS/ApiGateway", "Latency", "Api"), ("AWS/ApiGateway", "5xx", "Api"), ("ours", "Lateness", ""), ("ours", "DeliveriesInNet", ""), ("ours", "Delivered", "queue"), ("ours", "Failed", "fast")):
        hold(metric in everything, f"no alarm watches {metric[1]}")
    for table in of_type("AWS::DynamoDB::Table"):
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
            hold(("AWS/DynamoDB", metric, table) in metrics.get("TablesThrottledAlarm", []), f"{metric} of {table} are not watched")

    # Error lines.
    filters = of_type("AWS::Logs::MetricFilter")
    for name, function in functions.items():
        group = function["LoggingConfig"]["LogGroup"]
        errors = [f for f in filters.values() if f["LogGroupName"] == group and f["FilterPattern"] == ERROR]
        hold(len(errors) == 1 and errors[0]["MetricTransformations"][0]["MetricName"] == "ErrorsLogged", f"an error that {name} logs reaches no one")
    hold(("ours", "ErrorsLogged", "") in everything, "no alarm is raised on error lines")
    made = {t["MetricName"] for f in filters.values() for t in f["MetricTransformations"]}
    for name in filters:
        hold(resources[name].get("Condition", "").endswith("Alarms"), f"{name} exists in dev")
    for namespace, metric, _ in everything:
        hold(namespace != "ours" or metric in made, f"no log line makes the metric {metric}")

    # Values that a tool on the way may alter.
    for name, parameter in template["Parameters"].items():
        if parameter["Type"] == "Number" or "AllowedValues" in parameter:
            continue
        pattern = parameter.get("AllowedPattern", ".*")
        hold(not re.fullmatch(pattern, " ab"), f"{name} may be ' ab'")
        for value in ('a"b', "a'b", "a\\b", "ab ", "a\nb"):
            for around in ("", "https://", "user:" + 24 * "x", "arn:aws:sns:eu-west-1:111122223333:", "x@y"):
                hold(not re.fullmatch(pattern, around + value, re.DOTALL), f"{name} may be {around + value!r}")

    # What a failed first deployment and a deletion leave behind.
    for name, resource in resources.items():
        if resource["Type"] == "AWS::DynamoDB::Table":
            kept = [resource.get(p) for p in ("DeletionPolicy", "UpdateReplacePolicy")]
            hold(kept == ["Retain", "Retain"], f"{name} may be deleted with its stack, or block a rollback")
    group = properties_of("ApiAccessLog").get("LogGroupName", {}).get("Fn::Sub", "")
    hold(group.startswith("/aws/vendedlogs/"), "the access log takes a part of the account's resource policy")

    # Only over TLS, and each dead letter from its queue.
    def denies(statements):
        return any(s["Effect"] == "Deny" and s["Principal"] == "*" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} for s in statements)

    for kind, policy, member in (("SQS::Queue", "SQS::QueuePolicy", "Queues"), ("S3::Bucket", "S3::BucketPolicy", "Bucket")):
        encrypted = set()
        for p in of_type("AWS::" + policy).values():
            if denies(p["PolicyDocument"]["Statement"]):
                members = p[member] if isinstance(p[member], list) else [p[member]]
                encrypted |= {m["Ref"] for m in members}
        for name in of_type("AWS::" + kind):
            hold(name in encrypted, f"{name} can be used without TLS")
    sources = {}
    for queue in of_type("AWS::SQS::Queue").values():
        target = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn", {}).get("Fn::GetAtt", [None])[0]
        if target:
            own = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + queue["QueueName"]["Fn::Sub"]
            sources.setdefault(target, []).append({"Fn::Sub": own})
    for target, queues in sources.items():
        allowed = properties_of(target).get("RedriveAllowPolicy", {}).get("sourceQueueArns", [])
        hold(allowed == queues, f"{target} takes the dead letters of any queue")

    # Everything that POSTs runs in the VPC, and nothing else does.
    for name, function in functions.items():
        role = properties_of(name.replace("Function", "Role"))
        network = [s for s in statements(role) if s["Sid"] == "AttachToVpc" and all(a.startswith("ec2:") for a in s["Action"])]
        posts = name in ("ApiFunction", "DeliverFunction", "RetryFunction")
        hold(("VpcConfig" in function) == posts, f"{name} {'does not run' if posts else 'runs'} in the VPC of the targets")
        hold(bool(network) == posts, f"{name} {'cannot' if posts else 'may'} attach to a VPC")

    # Everything invokes an alias, which make rollback points at an earlier version.
    hold(template["Globals"]["Function"].get("AutoPublishAlias") == "live", "functions have no alias to roll back")
    for name, function in functions.items():
        hold(function.get("AutoPublishCodeSha256") == {"Ref": "Deployment"}, f"a change of {name} does not take effect")
    hold("DEPLOYMENT" in template["Globals"]["Function"]["Environment"]["Variables"], "a version of an unchanged function cannot be published")
    alias = {"Ref": "IngestFunction.Alias"}
    invoked = {name: m["FunctionName"] for name, m in of_type("AWS::Lambda::EventSourceMapping").items()}
    invoked |= {s["Sid"]: s["Resource"] for s in statements(properties_of("SweepRole")) if s["Action"] == "lambda:InvokeFunction"}
    invoked["INGEST_FUNCTION"] = properties_of("SweepFunction")["Environment"]["Variables"]["INGEST_FUNCTION"]["Fn::If"][1]
    for name, function in invoked.items():
        hold(function == alias, f"{name} does not name the alias")
    for name, member in (("ApiIntegration", "IntegrationUri"), ("ApiPermission", "FunctionName")):
        hold(properties_of(name)[member] == {"Ref": "ApiFunction.Alias"}, f"{name} does not name the alias")

    # A restored table takes the place of the stack's own everywhere.
    for name in ("Webhooks", "Events", "Deliveries"):
        hold(resources[name + "Table"].get("Condition") == "Own" + name, f"{name}Table exists next to a restored one")

    # Calls.
    limits = properties_of("ApiStage").get("DefaultRouteSettings", {})
    hold(limits.get("ThrottlingRateLimit") == limits.get("ThrottlingBurstLimit") == {"Ref": "CallsPerSecond"}, "the API takes any number of calls")
    log = properties_of("ApiStage")["AccessLogSettings"]["Format"]
    for field in ("routeKey", "error.responseType", "error.message", "integrationErrorMessage"):
        hold("$context." + field in log, f"the access log has no {field}")
    age = properties_of("SweepFunction").get("EventInvokeConfig", {}).get("MaximumEventAgeInSeconds")
    hold(age == 60, "sweeps pile up behind a throttled one")

    # Items that a function may use. Without a key in the call, ForAllValues is true.
    for name, role in of_type("AWS::IAM::Role").items():
        for s in statements(role):
            keys = s.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
            if keys:
                hold(s["Condition"].get("Null") == {"dynamodb:LeadingKeys": "false"}, f"{name}/{s['Sid']} allows calls without a key")
            if name in ("DeliverRole", "RetryRole") and "WebhooksTable" in json.dumps(s["Resource"]):
                hold(keys == ["T#*", "H#*", "V#*"], f"{name}/{s['Sid']} reaches credentials, tenants or jobs")

    # The dashboard shows what exists, and every metric is seen by someone.
    shown = set()
    for board in of_type("AWS::CloudWatch::Dashboard").values():
        body = json.loads(board["DashboardBody"]["Fn::Sub"])
        for widget in body["widgets"]:
            for metric in widget["properties"].get("metrics", []):
                if metric[0].startswith("Posthaste/"):
                    shown.add(metric[1])
        for name in re.findall(r"\$\{(\w+)[.}]", board["DashboardBody"]["Fn::Sub"]):
            hold(name in resources, f"the dashboard names {name}, which does not exist")
    for metric in shown - made:
        hold(False, f"no log line makes the metric {metric} of the dashboard")
    for metric in made:
        hold(metric in shown or ("ours", metric, "") in everything, f"nobody sees the metric {metric}")
    for f in filters.values():
        for t in f["MetricTransformations"]:
            keys = {d["Key"] for d in t.get("Dimensions", [])}
            hold(keys <= {"Lane"}, f"the number of metrics {t['MetricName']} grows with {', '.join(keys - {'Lane'})}")

    # Somebody is told.
    rule = template["Rules"].get("SomeoneIsPaged", {})
    hold(rule.get("RuleCondition") == {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}, "prod may have alarms that notify nobody")
    return found
