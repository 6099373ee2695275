package simulation_test

const (
	ingestBatches = "pkg/ingest/batch.go"
	ingestChanges = "pkg/ingest/changes.go"
	ingestBus     = "pkg/ingest/bus.go"
	ingestSources = "pkg/ingest/cache.go"
	ingestFailed  = "pkg/sweep/changes.go"
	sourceChange  = "pkg/source/change.go"
	sourceBus     = "pkg/source/bus.go"
	taking        = "pkg/webhook/take.go"
)

// ingestMutants break what takes records from outside.
var ingestMutants = []mutant{
	{
		"ingest: a record counts as taken though its event could not be stored", ingestBatches,
		"failed[p.record] = true", "failed[p.record] = false",
	},
	{
		"ingest: a batch of changes fails from the last failed record on", ingestChanges,
		"lower(c.Sequence, failed)", "lower(failed, c.Sequence)",
	},
	{
		"ingest: sequence numbers compare as strings", ingestChanges,
		"return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0", "return cmp.Compare(a, b) < 0",
	},
	{
		"ingest: the id of a change derives from its event's name", sourceChange,
		`"table", s.Name, c.Stream, c.ID)`, `"table", name, c.Stream, c.ID)`,
	},
	{
		"ingest: the id of a change does not depend on its source", sourceChange,
		`"table", s.Name, c.Stream, c.ID)`, `"table", c.Stream, c.ID)`,
	},
	{
		"ingest: the id of a bus event derives from its name", sourceBus,
		`"bus", s.Name, e.ID)`, `"bus", event.Name, e.ID)`,
	},
	{
		"ingest: the age of a bus event is that when it is received", ingestBus,
		"return m.Sent\n", "return b.now\n",
	},
	{
		"ingest: the marker of a bus event expires at once", taking,
		"Expires: now.Add(once.Life)}", "Expires: now}",
	},
	{
		"ingest: an event whose marker exists is not put", taking,
		"e.ID = stored.Event // Put again", "if stored.Event != e.ID {\n\t\t\te.ID = stored.Event\n\t\t\treturn e, nil\n\t\t}\n\t\t// Put again",
	},
	{
		"ingest: every attribute leaves the table", sourceChange,
		"\t\tif slices.Contains(t.Fields, m.Name) {", "\t\tif slices.Contains(t.Fields, m.Name) || true {",
	},
	{
		"ingest: outdated sources have the last word", ingestSources,
		"\t\tl, err = c.all.Newer(ctx, func(l list) bool { return l.began.Before(since) })\n",
		"\t\tif newer, e := c.all.Newer(ctx, func(l list) bool { return l.began.Before(since) }); e == nil {\n\t\t\tl = newer\n\t\t}\n",
	},
	{
		"ingest: messages from before the source count", "pkg/source/bus.go",
		"\tif now.Before(s.Created) {", "\tif false {",
	},
	{
		"ingest: a source that was read is not read again for newer records", ingestSources,
		"if err == nil && l.began.Before(since) {", "if false {",
	},
	{
		"ingest: records from before the source count", sourceChange,
		"if c.Stamp.Before(s.Created.Truncate(time.Second)) {", "if false {",
	},
	{
		"ingest: a batch is removed from the failure bucket though a record failed", ingestFailed,
		"if err == nil && !all {", "if err == nil && !all && false {",
	},
}
