package simulation_test

const (
	leasing = "pkg/dispatch/lease.go"
	waits   = "pkg/delivery/protocol_wait.go"
	health  = "pkg/webhook/health.go"
)

// laneMutants break what keeps slow targets in a lane of their own.
var laneMutants = []mutant{
	{
		"lanes: the queue lane cuts nothing", lanes,
		"limit = min(webhook.QueueBudget, timeout)", "limit = timeout",
	},
	{
		"lanes: a webhook that was cut short is not slow", health,
		"h.Slow, h.Latency = true, max(", "h.Slow, h.Latency = false, max(",
	},
	{
		"yield: counts as an attempt of the policy", waits,
		"row.Attempt, row.Resends, row.SweepAt = y.Attempt-1, 0, y.SweepAt", "row.Attempt, row.Resends, row.SweepAt = y.Attempt, 0, y.SweepAt",
	},
	{
		"yield: ignores who holds the lease", waits,
		" || row.LeaseBy != y.Token || y.Token == \"\" {", " {",
	},
	{
		"yield: keeps the lease", waits,
		"\trow.unlease()\n\trow.Attempt, row.Resends", "\trow.Attempt, row.Resends",
	},
	{
		"lease: a returned attempt behind an open breaker", leasing,
		", Takeover: a.takeover,", ",",
	},
}
