package custody

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Mover does the slices of jobs of this package. Its fields must be set before use and
// not changed afterwards.
type Mover struct {
	Webhooks Webhooks
	Stores   Stores
	// NextTenant returns the tenant whose name sorts after a name (empty: the first),
	// and empty at the end.
	NextTenant func(ctx context.Context, after webhook.Tenant) (webhook.Tenant, error)
	Logger     *slog.Logger
	Now        func() time.Time
	// Pause waits, unless ctx ends earlier.
	Pause func(ctx context.Context, d time.Duration)
	// HistoryLife is how long a replaced revision of a webhook is kept.
	HistoryLife time.Duration
}

// Webhooks is what a Mover needs of webhook.Webhooks.
type Webhooks interface {
	Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error)
	List(ctx context.Context, tenant webhook.Tenant, after int32, limit int) (page []webhook.Webhook, more bool, err error)
	Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error
	PutIntent(ctx context.Context, intent webhook.Intent) error
	RemoveIntent(ctx context.Context, intent webhook.Intent) error
}

const (
	triedAtOnce    = 10                // secrets per slice, which lasts a second: Secrets Manager creates 50 a second, for all
	examinedAtOnce = 100               // webhooks per slice
	passRest       = time.Minute       // between two passes
	keyRest        = 150 * time.Second // until every process seals with a new key: a minute, and the life of a ring
)

// position is the cursor of a job: "<pass>/<not before>/<left>/<tenant>/<webhook>".
type position struct {
	pass      int       // from 1; 0: the root key is yet to be added
	notBefore time.Time // of this pass
	left      int       // webhooks of this pass that changed while their secret was moved
	tenant    webhook.Tenant
	after     int32 // the webhook of the tenant that was examined last
}

func (p position) String() string {
	return fmt.Sprintf("%d/%d/%d/%s/%d", p.pass, p.notBefore.UnixMilli(), p.left, p.tenant, p.after)
}

func parse(cursor string) (p position, ok bool) {
	if cursor == "" {
		return position{}, true
	}
	parts := strings.Split(cursor, "/")
	if len(parts) != 5 {
		return position{}, false
	}
	var errs [4]error
	var ms, after int64
	p.tenant = webhook.Tenant(parts[3])
	p.pass, errs[0] = strconv.Atoi(parts[0])
	ms, errs[1] = strconv.ParseInt(parts[1], 10, 64)
	p.left, errs[2] = strconv.Atoi(parts[2])
	after, errs[3] = strconv.ParseInt(parts[4], 10, 32)
	p.notBefore, p.after = time.UnixMilli(ms), int32(after)
	return p, errors.Join(errs[:]...) == nil
}

// Slice does one slice of a job; see job.Slice. Examined counts the webhooks of all
// passes, Processed the secrets that were moved or sealed again. A webhook that changed
// meanwhile, or whose secret cannot be read now, is left for the next pass. One whose
// secret is lost is passed over, and named in Reason.
func (m *Mover) Slice(ctx context.Context, j job.Job) (job.Job, error) {
	began := m.Now()
	at, ok := parse(j.Cursor)
	if !ok {
		j.Status, j.Reason = job.Failed, "unknown cursor"
		return j, nil
	}
	if at.pass == 0 {
		return m.start(ctx, j)
	}
	if began.Before(at.notBefore) {
		return j, job.ErrNotYet
	}
	tenant := j.Tenant
	if tenant == "" {
		tenant = at.tenant
	}
	page, more, err := m.Webhooks.List(ctx, tenant, at.after, examinedAtOnce)
	if err := j.PassOver(err); err != nil {
		return j, err
	}
	tried := 0
	for _, w := range page {
		if tried == triedAtOnce || ctx.Err() != nil {
			more = true
			break
		}
		done, err := m.webhook(ctx, j.Kind, w)
		switch {
		case webhook.SecretLost(err) && m.unchanged(ctx, w):
			j.Reason = fmt.Sprintf("The secrets of webhook %d of tenant %s are lost: set them again", w.ID, w.Tenant)
		case err != nil:
			at.left++
			if !errors.Is(err, webhook.ErrConflict) {
				m.Logger.WarnContext(ctx, "cannot move secret", "tenant", string(w.Tenant), "webhook_id", w.ID, "error", err)
			}
		case done:
			j.Processed++
		}
		if done || err != nil {
			tried++
		}
		at.after = w.ID
		j.Examined++
	}
	if tried > 0 {
		m.Pause(ctx, time.Second-webhook.Elapsed(began, m.Now()))
	}
	if !more {
		if at, err = m.next(ctx, j, at); err != nil {
			return j, err
		}
		if at.pass == 0 {
			j.Status = job.Done
		}
	}
	j.Cursor = at.String()
	return j, nil
}

// unchanged reports whether a webhook is stored as it was read.
func (m *Mover) unchanged(ctx context.Context, w webhook.Webhook) bool {
	stored, err := m.Webhooks.Get(ctx, w.Tenant, w.ID)
	return err == nil && stored.Revision == w.Revision
}

// start begins the first pass, of a rotation after a new root key was added and every
// process seals with it. A slice that is repeated adds another key, which does no harm.
func (m *Mover) start(ctx context.Context, j job.Job) (job.Job, error) {
	at := position{pass: 1, notBefore: m.Now()}
	if j.Kind == job.RotateRoot {
		var full *webhook.ValidationError
		err := m.Stores.AddKey(ctx)
		if errors.As(err, &full) {
			j.Status, j.Reason = job.Failed, full.Error()
			return j, nil
		}
		if err != nil {
			return j, err
		}
		at.notBefore = m.Now().Add(keyRest)
	}
	if j.Tenant == "" {
		var err error
		if at.tenant, err = m.NextTenant(ctx, ""); err != nil {
			return j, err
		}
	}
	j.Cursor = at.String()
	return j, nil
}

// next returns the position after a tenant's last webhook: the next tenant, the next
// pass if this one left webhooks, or pass 0 at the end.
func (m *Mover) next(ctx context.Context, j job.Job, at position) (position, error) {
	at.after = 0
	if j.Tenant == "" {
		tenant, err := m.NextTenant(ctx, at.tenant)
		if err != nil {
			return position{}, err
		}
		if tenant != "" {
			at.tenant = tenant
			return at, nil
		}
	}
	if at.left == 0 {
		return position{}, nil
	}
	first, err := webhook.Tenant(""), error(nil)
	if j.Tenant == "" {
		first, err = m.NextTenant(ctx, "")
	}
	return position{pass: at.pass + 1, notBefore: m.Now().Add(passRest), tenant: first}, err
}
