package config

import "strings"

// Settings returns the table of settings.
func Settings() []Setting { return settings }

// Parameters are the template's parameters that no environment variable holds.
var Parameters = []Setting{
	{Parameter: "Stage", Deployed: "required", Meaning: "`dev`, `staging` or `prod`; sets `ALLOW_HTTP` and `TARGET_CHECK`, and `prod` protects the stack and its tables against deletion"},
	{Parameter: "Arch", Deployed: "arm64", Meaning: "processor of the functions: `arm64` or `x86_64`"},
	{Parameter: "QueueConcurrency", Deployed: "100", Meaning: "concurrent invocations of RetryFunction for the delivery queue, 4 to 1000, each with up to 10 attempts; and of IngestFunction for the ingest queue"},
	{Parameter: "SlowConcurrency", Deployed: "50", Meaning: "the same for the queue of the slow lane, 4 to 1000"},
	{Parameter: "ApiConcurrency", Deployed: "0", Meaning: "concurrency reserved for ApiFunction; 0 reserves nothing"},
	{Parameter: "EventBusName", Meaning: "EventBridge bus in this account and region whose events become events; empty: none"},
	{Parameter: "EventSources", Meaning: "sources of the bus's events that are taken, comma-separated; empty: all but `posthaste.…`"},
	{Parameter: "EventDetailTypes", Meaning: "detail types of the bus's events that are taken, comma-separated; empty: all"},
	{Parameter: "ChangeStreamArn1", Meaning: "stream of a DynamoDB table whose changes become events, with both images; empty: none"},
	{Parameter: "ChangeStreamArn2", Meaning: "stream of a second table"},
	{Parameter: "ChangeStreamArn3", Meaning: "stream of a third table"},
	{Parameter: "ChangeStreamKeyArn", Meaning: "KMS key of these tables; empty: they are not encrypted with a customer managed key"},
	{Parameter: "IamRoute", Deployed: "false", Meaning: "add the route `/aws/…`, whose calls are signed with AWS credentials"},
	{Parameter: "DisableExecuteApiEndpoint", Deployed: "false", Meaning: "`true` closes the API's own address, for a custom domain"},
	{Parameter: "SubnetIds", Meaning: "private subnets of a VPC from which POSTs are made; empty: none"},
	{Parameter: "SecurityGroupIds", Meaning: "security groups of the functions in these subnets"},
	{Parameter: "CallsPerSecond", Deployed: "1000", Meaning: "calls of the API in a second; more are refused with 429"},
	{Parameter: "RestoredWebhooksTable", Meaning: "table that a backup was restored into, [instead of the stack's own](docs/restore.md); empty: none"},
	{Parameter: "RestoredEventsStreamArn", Meaning: "the stream of such a table of events"},
	{Parameter: "RestoredDeliveriesTable", Meaning: "the same for deliveries"},
	{Parameter: "Deployment", Deployed: "0000000000", Meaning: "time of the deployment, which `make deploy` sets"},
	{Parameter: "AlarmTopic", Meaning: "ARN of the SNS topic that alarms are sent to; `prod` requires it or `AlarmEmail`, `dev` has no alarms"},
	{Parameter: "AlarmEmail", Meaning: "e-mail address that alarms are sent to, once its owner confirms"},
	{Parameter: "AccountConcurrency", Deployed: "1000", Meaning: "concurrent invocations that AWS allows the account in this region; 80 % of it raises an alarm"},
	{Parameter: "LogRetentionDays", Deployed: "30", Meaning: "days that logs are kept"},
}

// Markdown returns the table of settings as it is in the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | parameter | deployed | local run | meaning |\n|---|---|---|---|---|\n")
	for _, s := range settings {
		switch s.Name {
		case "FIRST_CREDENTIAL":
			s.Local, s.Deployed = DefaultCredential, "required"
		case "ADMIN_CREDENTIAL":
			s.Local, s.Deployed = DefaultAdmin, "generated"
		}
		s.row(&b)
	}
	for _, s := range Parameters {
		s.Local = Absent
		s.row(&b)
	}
	return b.String()
}

func (s Setting) row(b *strings.Builder) {
	b.WriteString("| " + name(s.Name) + " | " + name(s.Parameter) + " | " + cell(s.Deployed) + " | " + cell(s.Local) + " | " + s.Meaning + " |\n")
}

func name(s string) string {
	if s == "" {
		return Absent
	}
	return "`" + s + "`"
}

func cell(value string) string {
	switch value {
	case Absent, "required", "generated":
		return value
	case "":
		return "empty"
	}
	return "`" + value + "`"
}
