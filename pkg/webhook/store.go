package webhook

import (
	"context"
	"time"
)

// The three store contracts. They have two implementations (DynamoDB, and the
// embedded file of the local run) and one conformance suite, pkg/store/storetest,
// whose subtests carry the sentences below as their names.
//
// What holds for all methods of all three:
//   - They may be called concurrently, from any number of processes.
//   - A read that follows a write that returned, in real time, sees it, unless
//     the method says otherwise.
//   - A write is durable when its method returns nil. If it returns
//     ErrUnavailable, or the context ended, it may or may not have taken place.
//   - Absent things are ErrNotFound, never a zero value with a nil error,
//     unless the method says otherwise.
//   - A list leaves out stored items that cannot be decoded and goes on behind
//     them; it then returns an *UnreadableError beside what it found. Its limit
//     counts the items it returns.
//   - Items whose ExpiresAt has passed are absent, whether or not the store has
//     removed them.
//   - Times keep their milliseconds; an event's At keeps 100 ns.
//   - What is returned belongs to the caller, and what was passed in may be
//     changed by the caller afterwards.

// Webhooks stores webhooks, finds those that want an event, and keeps what is
// known of their targets.
type Webhooks interface {
	// NextID draws the tenant's next webhook id: 1, 2, …; never the same
	// twice, with gaps where a caller dies. An error once int32 is used up.
	NextID(ctx context.Context, tenant Tenant) (int32, error)

	// Create stores a new webhook, its pointers, and raises the tenant's
	// epoch. The webhook's Revision must be 1. ErrExists if the id is taken,
	// or was that of a webhook deleted less than IDLife ago. So ids never return:
	// NextID never draws one again, and a caller that remembers an older one is
	// refused. *LimitError if the store was given a limit and the tenant has that
	// many webhooks: counted in the same transaction, so that no race exceeds the
	// limit and none loses room. In both cases nothing changed.
	Create(ctx context.Context, w Webhook) error

	// HasRoom returns the *LimitError that a Create of one more webhook would
	// return now, so that a caller finds out before it does what precedes a
	// Create.
	HasRoom(ctx context.Context, tenant Tenant) error

	// Get reads a webhook.
	Get(ctx context.Context, tenant Tenant, id int32) (Webhook, error)

	// List returns up to limit webhooks of the tenant with ids greater than
	// after, in ascending order, and whether there may be more. A page ends
	// with the webhook that brings it to about 1 MiB; only the last is empty.
	List(ctx context.Context, tenant Tenant, after int32, limit int) (page []Webhook, more bool, err error)

	// Update replaces a webhook whose Revision is w.Revision-1, raises the
	// tenant's epoch, and stores the raised events, all in one transaction.
	// ErrConflict if the revision is another, ErrNotFound if the webhook is
	// gone; in both cases nothing changed and no event was stored. At no time
	// does the webhook miss a pointer that the old and the new Events share,
	// and once Update has returned nil all pointers of the new Events are
	// there, whatever other writers do.
	Update(ctx context.Context, w Webhook, raised ...Event) error

	// Delete removes a webhook of this revision with its pointers and health,
	// and raises the epoch. ErrConflict and ErrNotFound as for Update.
	Delete(ctx context.Context, tenant Tenant, id int32, revision int64) error

	// Epoch returns the number that every Create, Update and Delete of one of
	// the tenant's webhooks raises, in the same transaction; 0 for a tenant
	// without webhooks. A list of Subscribed that was loaded after an Epoch
	// was read is valid as long as Epoch returns that same number.
	Epoch(ctx context.Context, tenant Tenant) (int64, error)

	// Subscribed calls each with every webhook of the tenant that has a pointer
	// for the subscription key (see SubscriptionKeys), in ascending order of
	// id, read to the end and consistently. It may find webhooks whose Events
	// no longer hold the key, or that are not Active: the caller checks both.
	// It never misses a webhook whose last Create or Update
	// returned before the call began; one that cannot be decoded fails the
	// call, since its deliveries would be lost without a row. It holds at most a
	// hundred webhooks at a time, however many there are. After an error each
	// may have been called for some.
	Subscribed(ctx context.Context, tenant Tenant, key string, each func(Webhook)) error

	// Health reads the health of several webhooks; those that have none are
	// absent from the map, and so are those whose health cannot be decoded,
	// which an *UnreadableError names. It may be a few seconds old.
	Health(ctx context.Context, tenant Tenant, ids []int32) (map[int32]Health, error)

	// UpdateHealth replaces a webhook's health by change(current) atomically.
	// Under contention change is called again, a bounded number of times;
	// then ErrUnavailable. It returns the new health.
	UpdateHealth(ctx context.Context, tenant Tenant, id int32, change func(Health) Health) (Health, error)

	// PutIntent notes that a secret is about to be made or deleted, so that
	// the sweep finds it if the caller dies on the way. Putting one again
	// makes it the caller's, with the caller's time.
	PutIntent(ctx context.Context, intent Intent) error

	// RemoveIntent forgets the note if it is still of this time: one that
	// somebody else has put again stays, since it tells of that one's work.
	// Removing one that is gone is fine.
	RemoveIntent(ctx context.Context, intent Intent) error

	// Intents returns up to limit intents made before a time, oldest first.
	Intents(ctx context.Context, before time.Time, limit int) ([]Intent, error)
}

// IDLife is for how long, at least, a store refuses the id of a deleted webhook.
// It is longer than an idempotency key, an attempt or a message remembers one.
const IDLife = 15 * 24 * time.Hour

// Intent is a note that the secret of a webhook may exist without its webhook
// naming it.
type Intent struct {
	Secret  string // name in the secret store
	Tenant  Tenant
	Webhook int32
	At      time.Time
}

// Events stores events. Storing one is promising its delivery: the change feed
// hands it to the dispatcher, at least once.
type Events interface {
	// Put stores an event under its id if there is none and puts it into the
	// change feed in the same write. If the id is there already nothing
	// changes and Put returns nil: a repeated signal is one event.
	Put(ctx context.Context, e Event) error

	// Get reads an event.
	Get(ctx context.Context, tenant Tenant, id EventID) (Event, error)

	// List returns up to limit events of the tenant in the order of their
	// ids, from the first id (included) to the last (included). A short list
	// means there are no more.
	List(ctx context.Context, tenant Tenant, first, last EventID, limit int) ([]Event, error)

	// Remember claims an idempotency key until expires. If the
	// key is free, or its claim has expired by now, the claim given is stored
	// and returned; else the one that stands.
	Remember(ctx context.Context, tenant Tenant, key string, claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error)

	// Reclaim is Remember, but for a claim that stands for the webhook
	// replaced: that counts as free. So of several callers that replace the
	// same claim one's stands.
	Reclaim(ctx context.Context, tenant Tenant, key string, replaced int32, claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error)
}

// IdempotencyClaim is what an idempotency key stands for: an event, or a
// webhook.
type IdempotencyClaim struct {
	Event   EventID
	Webhook int32
	Body    string // hash of what was sent
	Expires time.Time
}

// Deliveries stores delivery rows. Its writes are the transitions of the row
// protocol (protocol.go), each one conditional write.
//
// Every transition returns the row as it stands afterwards. Where its condition
// is not met the error is ErrRefused and the row is the one that stood in the
// way (the zero Delivery if there is none), as of the very moment of the
// refusal, so that callers decide on that and never on an earlier read. A
// transition that other writers of its row overtake too often is ErrUnavailable.
type Deliveries interface {
	Lease(ctx context.Context, l Lease) (Delivery, error)
	Finish(ctx context.Context, f Finish) (Delivery, error)
	RecordFirst(ctx context.Context, r RecordFirst) (Delivery, error)
	MarkDelivered(ctx context.Context, m MarkDelivered) (Delivery, error)
	StartRound(ctx context.Context, s StartRound) (Delivery, error)
	End(ctx context.Context, e End) (Delivery, error)
	MakeDue(ctx context.Context, m MakeDue) (Delivery, error)
	Claim(ctx context.Context, c Claim) (Delivery, error)
	Park(ctx context.Context, p Park) (Delivery, error)
	Defer(ctx context.Context, d Defer) (Delivery, error)

	// Get reads a row.
	Get(ctx context.Context, key DeliveryKey) (Delivery, error)

	// List returns up to limit rows of a webhook, the newest event
	// first, with event ids less than before (empty: from the newest on).
	List(ctx context.Context, tenant Tenant, webhook int32, before EventID, limit int) ([]Delivery, error)

	// Due returns up to limit rows of a shard (0 to DueShards-1) whose SweepAt
	// is at or before a time, the earliest first. after is the last row of the
	// page before, as it was shown; the zero DueDelivery asks for the first
	// page. A short list means there are no more. Due may lag behind writes:
	// rows may be missing for a while, or shown with an old SweepAt; Claim
	// decides.
	Due(ctx context.Context, shard int, before time.Time, after DueDelivery, limit int) ([]DueDelivery, error)
}

// DueDelivery is what the index of due deliveries shows of a row.
type DueDelivery struct {
	DeliveryKey
	SweepAt time.Time
	NextAt  time.Time
	Resends int
}
