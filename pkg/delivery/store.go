package delivery

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Store stores delivery rows. Its writes are the transitions of the row
// protocol (protocol.go), each one conditional write.
//
// Every transition returns the row after the write. If its condition is not met, the
// error is ErrRefused and the row is the one that did not meet it (the zero Row
// without a row), as of the moment of the refusal, so that callers decide by that
// row and never by an earlier read. A transition that loses to other writers of its
// row too often returns ErrUnavailable.
type Store interface {
	Lease(ctx context.Context, l Lease) (Row, error)
	Finish(ctx context.Context, f Finish) (Row, error)
	RecordFirst(ctx context.Context, r RecordFirst) (Row, error)
	MarkDelivered(ctx context.Context, m MarkDelivered) (Row, error)
	StartRound(ctx context.Context, s StartRound) (Row, error)
	End(ctx context.Context, e End) (Row, error)
	MakeDue(ctx context.Context, m MakeDue) (Row, error)
	Claim(ctx context.Context, c Claim) (Row, error)
	Park(ctx context.Context, p Park) (Row, error)
	Defer(ctx context.Context, d Defer) (Row, error)
	Yield(ctx context.Context, y Yield) (Row, error)

	Backlog
	Timers

	// Get reads a row.
	Get(ctx context.Context, key Key) (Row, error)

	// List returns up to limit rows of a webhook, newest event first, with event ids
	// less than before (empty: starting with the newest).
	List(ctx context.Context, tenant webhook.Tenant, webhook int32, before webhook.EventID, limit int) ([]Row, error)

	// Log returns rows of a webhook, newest event first; see LogQuery. It examines a
	// bounded number of rows, so a page may be short, or empty, and still have a Next.
	// Pages that follow each other's Next show each row once, unless it was created or
	// removed meanwhile. Rows that have expired or cannot be decoded are examined too.
	Log(ctx context.Context, q LogQuery) (LogPage, error)

	// PutResponse stores the response of a failed attempt next to the delivery's row;
	// no other method touches it. It replaces that of an earlier attempt; if there is
	// one of a later attempt, PutResponse changes nothing and returns nil.
	PutResponse(ctx context.Context, r FailureResponse) error

	// Response reads what PutResponse stored last.
	Response(ctx context.Context, key Key) (FailureResponse, error)

	// Due returns up to limit rows of a shard (0 to DueShards-1) whose SweepAt is at
	// or before a time, earliest first. after is the last row of the previous page,
	// as returned; the zero DueRow returns the first page, and one with only a SweepAt
	// the first page of the rows that are due after that. A short list means that there
	// are no more. Due may lag behind writes: rows may be missing for a
	// while, or have an old SweepAt. Claim decides.
	Due(ctx context.Context, shard int, before time.Time, after DueRow, limit int) ([]DueRow, error)
}

// DueRow is a row as the index of due deliveries shows it.
type DueRow struct {
	Key
	SweepAt time.Time
	NextAt  time.Time
	Resends int
	// Parked says that the row surfaced through the net.
	Parked bool
}
