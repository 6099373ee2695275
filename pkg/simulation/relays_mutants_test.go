package simulation_test

const (
	relaying     = "pkg/ingest/relay.go"
	relayReads   = "pkg/ingest/relays.go"
	relayMapping = "pkg/source/relay.go"
	relaySigned  = "pkg/ingest/verify.go"
)

// relayMutants break what takes the webhooks of other services.
var relayMutants = []mutant{
	{
		"relay: the marker is claimed after the event is put", taking,
		`		stored, err := p.Events.Remember(ctx, e.Tenant, once.Key, claim, now)
		if err != nil {
			return Event{}, fmt.Errorf("event %s: %w", e.Name, err)
		}
		e.ID = stored.Event // Put again: the call that claimed the key may have died before its Put
`, `		stored, err := p.Events.Recall(ctx, e.Tenant, once.Key, now)
		if err == nil {
			e.ID = stored.Event
		}
		defer func() { _, _ = p.Events.Remember(ctx, e.Tenant, once.Key, claim, now) }()
`,
	},
	{
		"relay: the context is not checked", relayMapping,
		"if c.Context != s.Relay.Context {", "if false {",
	},
	{
		"relay: a POST of any age counts", relayMapping,
		"case !e.At.After(now.Add(relayTolerance + takeTime - remembered)):", "case false:",
	},
	{
		"relay: a sender's id is remembered for a day", relayMapping,
		"Life: remembered}", "Life: 24 * time.Hour}",
	},
	{
		"relay: hops are not passed on", relayMapping,
		"e.Tenant, e.Hops, e.Content.Source = s.Tenant, d.Hops+1,", "e.Tenant, e.Hops, e.Content.Source = s.Tenant, 1,",
	},
	{
		"relay: an id counts for each source", "pkg/webhook/take.go",
		"if guid := strings.ToLower(id); EventID(guid).Valid() {", "if guid := strings.ToLower(id); EventID(guid).Valid() && false {",
	},
	{
		"relay: 200 though the event may not be stored", relaying,
		"got.status, got.cause = http.StatusServiceUnavailable, err", "got.status = http.StatusOK",
	},
	{
		"relay: the previous secret does not verify", relaySigned,
		"if why == faultSignature && !previous.IsZero() {", "if false {",
	},
	{
		"relay: a source is not read again for a signature that does not verify", relaying,
		"if fresh || why == \"\" && err == nil {", "if fresh || why == \"\" && err == nil || true {",
	},
	{
		"relay: a source that was read is used for an hour", relayReads,
		"const relayLife = 5 * time.Second", "const relayLife = time.Hour",
	},
	{
		"relay: any signature verifies", relaySigned,
		"case !signature.VerifySuperOffice(secret, body, signed):", "case !signature.VerifySuperOffice(secret, body, signed) && false:",
	},
	{
		"relay: an overlap lasts an hour longer", "pkg/source/registry_secret.go",
		"doc.Previous, doc.PreviousUntil = old.Current, s.Updated.Add(overlap)", "doc.Previous, doc.PreviousUntil = old.Current, s.Updated.Add(overlap+time.Hour)",
	},
}
