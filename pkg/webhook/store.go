package webhook

import (
	"context"
	"time"
)

// The store contracts: Webhooks and Events here, and delivery.Store. They have two
// implementations (DynamoDB, and the embedded file of the local run) and one
// conformance suite, pkg/store/storetest, whose subtests are named after the sentences
// below.
//
// For all methods of all three contracts:
//   - They may be called concurrently, from any number of processes.
//   - A read that begins after a write has returned sees that write, unless the
//     method says otherwise.
//   - A write is durable when its method returns nil. If it returns
//     ErrUnavailable, or the context ended, it may or may not have taken place.
//   - An absent item is ErrNotFound, never a zero value with a nil error, unless the
//     method says otherwise.
//   - A list omits stored items that cannot be decoded and continues after them. It
//     then returns an *UnreadableError together with the other items. Its limit
//     counts the items it returns.
//   - An item whose ExpiresAt has passed is absent, even if the store has not yet
//     removed it.
//   - Times keep their milliseconds; an event's At keeps 100 ns.
//   - Returned values belong to the caller, and the caller may change its arguments
//     after the call.

// Webhooks stores webhooks, finds the subscribers of an event, and stores the health
// of targets.
type Webhooks interface {
	// NextID returns the tenant's next webhook id: 1, 2, …. It never returns an id
	// twice; ids have gaps if callers die. It fails once int32 is exhausted.
	NextID(ctx context.Context, tenant Tenant) (int32, error)

	// Create stores a new webhook and its pointers, and raises the tenant's epoch.
	// The webhook's Revision must be 1. ErrExists if the id is taken, or belonged to
	// a webhook deleted less than IDLife ago. So ids are never reused: NextID does
	// not return one again, and a caller that remembers an older one is refused.
	// *LimitError if the store has a limit and the tenant has that many webhooks.
	// They are counted in the same transaction, so that races neither exceed the
	// limit nor lose capacity. In both cases nothing changes.
	Create(ctx context.Context, w Webhook) error

	// HasRoom returns the *LimitError that Create would return now for one more
	// webhook, so that a caller can check before it prepares the Create.
	HasRoom(ctx context.Context, tenant Tenant) error

	// Get reads a webhook.
	Get(ctx context.Context, tenant Tenant, id int32) (Webhook, error)

	// List returns up to limit webhooks of the tenant with ids greater than after,
	// in ascending order, and whether there may be more. A page ends with the
	// webhook that brings it to about 1 MiB. Only the last page can be empty.
	List(ctx context.Context, tenant Tenant, after int32, limit int) (page []Webhook, more bool, err error)

	// Update replaces a webhook whose Revision is w.Revision-1, raises the tenant's
	// epoch, stores the raised events, and keeps the replaced webhook as by says (see
	// History), all in one transaction. ErrConflict if
	// the stored revision is another, ErrNotFound if the webhook does not exist. In
	// both cases nothing changes and no event is stored. The pointers that the old
	// and the new Events share exist at all times, and once Update has returned nil
	// all pointers of the new Events exist, whatever other writers do.
	Update(ctx context.Context, w Webhook, by Change, raised ...Event) error

	// Delete removes a webhook of this revision with its pointers and health, raises
	// the epoch, and keeps the deleted webhook as by says. ErrConflict and
	// ErrNotFound as for Update.
	Delete(ctx context.Context, tenant Tenant, id int32, revision int64, by Change) error

	// History returns up to limit revisions of a webhook that an Update or Delete
	// replaced, newest first, each as Change.Replaces returns it, with revisions less
	// than before (0: starting with the newest). The webhook may be deleted. A
	// short list means that there are no more. The store keeps the newest
	// HistoryLength, until they expire. A list without error may be empty.
	History(ctx context.Context, tenant Tenant, id int32, before int64, limit int) ([]Replaced, error)

	// Epoch returns the tenant's epoch, which every Create, Update and Delete of its
	// webhooks raises in the same transaction; 0 before the first. A list of
	// Subscribed that was loaded after reading an epoch is valid as long as Epoch
	// returns the same number.
	Epoch(ctx context.Context, tenant Tenant) (int64, error)

	// Subscribed calls each with every webhook of the tenant that has a pointer for
	// the subscription key (see SubscriptionKeys), in ascending order of id, with
	// consistent reads to the end. It may return webhooks whose Events no longer
	// contain the key, or that are not Active: the caller checks both. It never
	// misses a webhook whose last Create or Update returned before the call began. A
	// webhook that cannot be decoded fails the call, since its deliveries would be
	// lost without a row. Subscribed holds at most a hundred webhooks in memory at a
	// time. After an error, each may have been called for some webhooks.
	Subscribed(ctx context.Context, tenant Tenant, key string, each func(Webhook)) error

	// Health reads the health of several webhooks, which may be a few seconds old.
	// The map omits webhooks without health and those whose health cannot be
	// decoded; an *UnreadableError names the latter.
	Health(ctx context.Context, tenant Tenant, ids []int32) (map[int32]Health, error)

	// CurrentHealth reads the health of a webhook, by a read that begins after the call:
	// a breaker that it shows closed was closed at that time. It returns the zero Health
	// for a webhook without health.
	CurrentHealth(ctx context.Context, key Key) (Health, error)

	// UpdateHealth atomically replaces a webhook's health by change(current) and
	// returns the new health. Under contention it calls change again, a bounded
	// number of times, and then returns ErrUnavailable.
	UpdateHealth(ctx context.Context, tenant Tenant, id int32, change func(Health) Health) (Health, error)

	// PutIntent records that a secret is about to be created or deleted, so that the
	// sweep finds it if the caller dies. Putting an existing intent replaces its
	// time: it now belongs to the new caller.
	PutIntent(ctx context.Context, intent Intent) error

	// RemoveIntent removes the intent if it still has this time: an intent that
	// another caller has put again stays, since it is about that caller's work.
	// Removing an absent intent is not an error.
	RemoveIntent(ctx context.Context, intent Intent) error

	// Intents returns up to limit intents put before a time, oldest first.
	Intents(ctx context.Context, before time.Time, limit int) ([]Intent, error)
}

// IDLife is the minimum time for which a store refuses the id of a deleted webhook.
// It is longer than an idempotency key, an attempt or a message can refer to the id.
const IDLife = 15 * 24 * time.Hour

// Intent records that the secret of a webhook may exist although no webhook refers to
// it.
type Intent struct {
	Secret  string // name in the secret store
	Tenant  Tenant
	Webhook int32
	At      time.Time
}

// Events stores events. A stored event is a promise of delivery: the change feed
// passes it to the dispatcher, at least once.
type Events interface {
	// Put stores an event and adds it to the change feed in the same write. If the id
	// already exists, Put changes nothing and returns nil: a repeated signal is one
	// event.
	Put(ctx context.Context, e Event) error

	// Get reads an event.
	Get(ctx context.Context, tenant Tenant, id EventID) (Event, error)

	// List returns up to limit events of the tenant in order of id, from first to
	// last, both included. A short list means that there are no more.
	List(ctx context.Context, tenant Tenant, first, last EventID, limit int) ([]Event, error)

	// Search returns events of a tenant, newest first; see EventQuery. It reads a
	// bounded part of each partition, at most about 1 MiB, so a page may be short, or
	// empty, and still have a Next. Pages that follow each other's Next show each event once,
	// unless it was stored or removed meanwhile. Events that have expired or cannot be
	// decoded are examined too.
	Search(ctx context.Context, q EventQuery) (EventPage, error)

	// Recall reads the claim of an idempotency key. ErrNotFound if the key is free, or
	// its claim has expired by now.
	Recall(ctx context.Context, tenant Tenant, key string, now time.Time) (IdempotencyClaim, error)

	// Remember claims an idempotency key until claim.Expires. If the key is free, or
	// its claim has expired by now, it stores and returns the given claim; otherwise
	// it returns the existing one.
	Remember(ctx context.Context, tenant Tenant, key string, claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error)

	// Reclaim is Remember, except that a claim of the webhook replaced counts as
	// free. So if several callers replace the same claim, one of them wins.
	Reclaim(ctx context.Context, tenant Tenant, key string, replaced int32, claim IdempotencyClaim, now time.Time) (IdempotencyClaim, error)
}

// IdempotencyClaim is what an idempotency key was used for: an event or a webhook.
type IdempotencyClaim struct {
	Event   EventID
	Webhook int32
	Body    string // hash of the request
	Expires time.Time
}
