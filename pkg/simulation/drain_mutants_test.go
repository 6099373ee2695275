package simulation_test

const (
	parking  = "pkg/dispatch/timers.go"
	draining = "pkg/dispatch/drain.go"
	sighting = "pkg/dispatch/drain_sight.go"
	drained  = "pkg/dispatch/drain_probe.go"
	released = "pkg/dispatch/release.go"
	timing   = "pkg/delivery/timer.go"
)

// drainMutants break what keeps and attempts parked rows.
var drainMutants = []mutant{
	{
		"park: without a timer", parking,
		"\tif err := e.timers.ensure(ctx, key); err != nil {\n\t\treturn delivery.Row{}, err\n\t}\n", "",
	},
	{
		"park: behind a timer that is about to be removed", timing,
		"t, write := t.Ensured(key, now); write {", "t, write := t.Ensured(key, now); write && t.Version == 0 {",
	},
	{
		"drain: attempts for a webhook that is not active", sighting,
		"{ return s.webhook.State == webhook.StateActive }", "{ return s.webhook.State != webhook.StateUnknown }",
	},
	{
		"drain: never looks at the webhook again", draining,
		"\tif webhook.Elapsed(d.view.read, now) < drainView {\n", "\tif !d.view.read.IsZero() {\n\t\td.view.read = now\n",
	},
	{
		"drain: goes on behind an open breaker", sighting,
		"{ return s.active() && s.breaker.Open() }", "{ return s.active() && s.breaker.Step < 0 }",
	},
	{
		"drain: a row that it leased and cannot finish is parked again", draining,
		"\tif f.done || !f.leased {\n", "\tif f.leased && !f.done {\n\t\t_, _ = d.Deliveries.MakeDue(ctx, delivery.MakeDue{Key: m.Key(), Round: m.Round, Attempt: m.Attempt + 1, Now: d.Now(), SweepAt: d.Now()})\n\t}\n\tif f.done || !f.leased {\n",
	},
	{
		"drain: rows of a deleted webhook end", sighting,
		"\tif w.Revision == 0 {\n", "\tif w.Revision < 0 {\n",
	},
	{
		"drain: a probe takes no step", drained,
		"\tif taken == nil {\n\t\treturn true\n\t}\n", "\tif taken == nil {\n\t\ttaken = &probe{}\n\t}\n",
	},
	{
		"drain: the timer of a disabled webhook is not pulled", released,
		"\tif err := r.config.Deliveries.PullTimer(ctx, key, r.config.Now()); err != nil {\n", "\tif err := ctx.Err(); err != nil {\n",
	},
}
