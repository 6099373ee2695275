// Package telemetry writes log lines for operators, with a closed list of keys.
// Other packages take a *slog.Logger and do not depend on this one. It refuses to
// send anything itself and has no clock. The template derives metrics from the
// lines that need an operator's attention.
//
// The keys of a line, besides time, level and msg:
//
//	tenant, webhook_id, event, event_id, lane, attempt, outcome, status,
//	duration_ms, host, round, error, request_id, user, app, action, count,
//	source, credential_id, matches, next_attempt, path, error_type, changed,
//	ignored, via (console), reason, age_ms (since the event was stored), late_ms (since it was due),
//	net, timers, visited, waiting (what one sweep met)
//
// Any other key, and any group, is dropped from the line: secrets usually reach a
// log by way of an attribute that was added without a second thought.
package telemetry
