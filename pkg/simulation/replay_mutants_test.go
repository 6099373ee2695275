package simulation_test

const (
	replayWorker = "pkg/replay/worker.go"
	replayPlan   = "pkg/replay/plan.go"
)

// replayMutants break retries and replays.
var replayMutants = []mutant{
	{
		"replay: counts into the streak", healthRule,
		"if r.Replay {\n", "if r.Replay && r.Error == failure.None {\n",
	},
	{
		"replay: a success ends the streak", healthRule,
		"if r.Replay {\n", "if r.Replay && r.Error != failure.None {\n",
	},
	{
		"replay: a success leaves the breaker open", healthRule,
		"\tcase r.Activation == h.Activation:\n\t\th.Breaker = Breaker{}\n", "",
	},
	{
		"replay: to a stopped webhook", consumer,
		"if w.State != webhook.StateActive {", "if w.State != webhook.StateActive && m.Replay == \"\" {",
	},
	{
		"replay: marked from the second round on", leased,
		"Replay: m.Round > 1 || m.Replay != \"\", ", "Replay: m.Round > 1, ",
	},
	{
		"new round: of a round that has not begun", protocol,
		"row.Waiting(), ", "",
	},
	{
		"replay: what is pending too", replayPlan,
		"delivery.StatusExpired:\n\t\treturn \"\", false\n", "delivery.StatusExpired:\n\t\tr = Failed\n",
	},
	{
		"replay: cursor before the rounds", replayWorker,
		"\tif err := s.begin(ctx, found); err != nil {\n\t\treturn j, err\n\t}\n", "\t_ = s.begin(ctx, found)\n",
	},
	{
		"replay: events of others", replayPlan,
		"return w.Subscribed(e) && ", "return ",
	},
}
