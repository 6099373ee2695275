"""Makes the calls that Lambda itself makes with each function's role.

The emulator runs functions, but it writes logs, reads the stream and the queue
and stores failed batches with its own permissions, so a missing permission would
go unnoticed. This script assumes each role and makes the same calls, and one
that the role must not allow. (To do so it adds itself to the principals that the
role trusts, which does not change the role's permissions.)

    python .ci/emulator/as_lambda.py STACK
"""

import json
import os
import sys
import time

import botocore.session
from botocore.exceptions import ClientError

stack = sys.argv[1]
own = botocore.session.get_session()


def client(service, credentials=None):
    keys = {}
    if credentials:
        keys = dict(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
    return own.create_client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], **keys)


resources = {
    r["LogicalResourceId"]: r["PhysicalResourceId"]
    for r in client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
}
faults = []


def assume(role):
    iam = client("iam")
    found = iam.get_role(RoleName=role)["Role"]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = found["AssumeRolePolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    document["Statement"].append(trust)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))
    answer = client("sts").assume_role(RoleArn=found["Arn"], RoleSessionName="as-lambda")
    return lambda service: client(service, answer["Credentials"])


def denied(call):
    try:
        call()
    except ClientError as e:
        return "AccessDenied" in e.response["Error"]["Code"] or "not authorized" in str(e)
    return False


def may(what, *calls):
    if any(denied(call) for call in calls):
        faults.append(f"{what}: denied")


def may_not(what, call):
    if not denied(call):
        faults.append(f"{what}: allowed")


def log(function, log_group, as_role):
    logs, stream = as_role("logs"), f"as-lambda-{time.time_ns()}"
    line = {"timestamp": int(time.time() * 1000), "message": "{}"}
    may(
        f"{function}: write its log",
        lambda: logs.create_log_stream(logGroupName=log_group, logStreamName=stream),
        lambda: logs.put_log_events(logGroupName=log_group, logStreamName=stream, logEvents=[line]),
    )


def api(as_role):
    may_not("Api: receive deliveries", lambda: as_role("sqs").receive_message(QueueUrl=resources["DeliveryQueue"]))


def read_stream(function, streams, arn):
    shard = client("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    at = dict(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")
    iterator = client("dynamodbstreams").get_shard_iterator(**at)["ShardIterator"]
    may(f"{function}: find streams", lambda: streams.list_streams())
    may(
        f"{function}: read the stream",
        lambda: streams.describe_stream(StreamArn=arn),
        lambda: streams.get_shard_iterator(**at),
        lambda: streams.get_records(ShardIterator=iterator),
    )


def no_credentials(function, as_role):
    table, own = dict(TableName=resources["WebhooksTable"]), as_role("dynamodb")
    for partition in ("C#as-lambda", "TENANTS", "JOBS", "SOURCES", "O"):
        key = {"pk": {"S": partition}, "sk": {"S": "as-lambda"}}
        may_not(f"{function}: write to {partition}", lambda: own.put_item(Item=key, **table))
        may_not(f"{function}: read {partition}", lambda: own.get_item(Key=key, **table))
        put = [{"Put": {"Item": key, **table}}]
        may_not(f"{function}: write to {partition} in a transaction", lambda: own.transact_write_items(TransactItems=put))
    key = {"pk": {"S": "H#as-lambda"}, "sk": {"S": "HEALTH"}}
    may(f"{function}: write health", lambda: own.put_item(Item=key, **table), lambda: own.delete_item(Key=key, **table))


def deliver(as_role):
    streams, s3, bucket = as_role("dynamodbstreams"), as_role("s3"), resources["FailureBucket"]
    read_stream("Deliver", streams, client("dynamodb").describe_table(TableName=resources["EventsTable"])["Table"]["LatestStreamArn"])
    may("Deliver: find the failure bucket", lambda: s3.list_objects_v2(Bucket=bucket))
    may("Deliver: put a failed batch into the bucket", lambda: s3.put_object(Bucket=bucket, Key="as-lambda", Body=b"{}"))
    client("s3").delete_object(Bucket=bucket, Key="as-lambda")
    may_not("Deliver: read the bucket", lambda: s3.get_object(Bucket=bucket, Key="as-lambda"))
    no_credentials("Deliver", as_role)


def retry(as_role):
    sqs, queue = as_role("sqs"), resources["DeliveryQueue"]
    may(
        "Retry: take messages",
        lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"]),
        # A real message becomes visible again after a second.
        lambda: sqs.receive_message(QueueUrl=queue, VisibilityTimeout=1),
        lambda: sqs.delete_message(QueueUrl=queue, ReceiptHandle="none"),
    )
    may_not("Retry: read dead letters", lambda: sqs.receive_message(QueueUrl=resources["DeadLetterQueue"]))
    no_credentials("Retry", as_role)


def sweep(as_role):
    secret = resources["FirstCredentialSecret"]
    may_not("Sweep: read a secret", lambda: as_role("secretsmanager").get_secret_value(SecretId=secret))


def ingest(as_role):
    sqs, queue = as_role("sqs"), resources["IngestQueue"]
    may(
        "Ingest: take messages",
        lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"]),
        lambda: sqs.receive_message(QueueUrl=queue, VisibilityTimeout=1),
        lambda: sqs.delete_message(QueueUrl=queue, ReceiptHandle="none"),
    )
    streams, s3, bucket = as_role("dynamodbstreams"), as_role("s3"), resources["ChangeFailureBucket"]
    mapping = client("lambda").get_event_source_mapping(UUID=resources["ChangeMapping1"])
    read_stream("Ingest", streams, mapping["EventSourceArn"])
    may("Ingest: find the bucket of failed changes", lambda: s3.list_objects_v2(Bucket=bucket))
    may("Ingest: put failed changes into the bucket", lambda: s3.put_object(Bucket=bucket, Key="as-lambda", Body=b"{}"))
    client("s3").delete_object(Bucket=bucket, Key="as-lambda")
    may_not("Ingest: read the bucket", lambda: s3.get_object(Bucket=bucket, Key="as-lambda"))
    table = mapping["EventSourceArn"].split("/")[1]
    may_not("Ingest: read the table itself", lambda: as_role("dynamodb").scan(TableName=table))
    webhooks = as_role("dynamodb")
    key = {"pk": {"S": "C#as-lambda"}, "sk": {"S": "C"}}
    may_not("Ingest: write a credential", lambda: webhooks.update_item(TableName=resources["WebhooksTable"], Key=key))


for name, calls in {"Api": api, "Deliver": deliver, "Retry": retry, "Sweep": sweep, "Ingest": ingest}.items():
    as_role = assume(resources[name + "Role"])
    log(name, resources[name + "Log"], as_role)
    calls(as_role)
print("\n".join(faults) or "every role allows Lambda's calls, and no more")
sys.exit(bool(faults))
