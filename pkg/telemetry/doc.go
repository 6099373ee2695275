// Package telemetry writes what an operator sees: log lines with a closed list
// of keys. Everyone else takes a *slog.Logger and knows nothing of this package;
// it sends nothing itself and keeps no clock. The template makes metrics of those
// lines that somebody must look at.
//
// The keys of a line, besides time, level and msg:
//
//	tenant, webhook_id, event, event_id, lane, attempt, outcome, status,
//	duration_ms, due_at, host, round, error, request_id, trace_id, user, app,
//	action, count, source, credential_id
//
// Any other key, and whatever lies in a group, is left out of the line: an
// attribute nobody thought about is the usual way a secret reaches a log.
package telemetry
