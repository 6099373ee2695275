package custody

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
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
	// Sources are moved after the webhooks. nil: there are no sources.
	Sources Sources
	Stores  Stores
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

// Sources is what a Mover needs of source.Registry; see there.
type Sources interface {
	WithSecret(ctx context.Context, tenant webhook.Tenant) (names []string, err error)
	SecretOf(ctx context.Context, name string) (webhook.Tenant, webhook.SecretRef, error)
	MoveSecret(ctx context.Context, name string, from, to webhook.SecretRef) error
}

const (
	triedAtOnce    = 10                // secrets per slice, which lasts a second: Secrets Manager creates 50 a second, for all
	examinedAtOnce = 100               // webhooks per slice
	passRest       = time.Minute       // between two passes
	keyRest        = 150 * time.Second // until every process seals with a new key: a minute, and the life of a ring
)

// position is the cursor of a job: "<pass>/<not before>/<left>/<tenant>/<webhook>", and
// "/<source>" after it once all webhooks of the pass have been examined.
type position struct {
	pass      int       // from 1; 0: the root key is yet to be added
	notBefore time.Time // of this pass
	left      int       // webhooks and sources of this pass that changed while their secret was moved
	tenant    webhook.Tenant
	after     int32  // the webhook of the tenant that was examined last
	sources   bool   // the webhooks of this pass are done
	source    string // that was examined last
}

func (p position) String() string {
	cursor := fmt.Sprintf("%d/%d/%d/%s/%d", p.pass, p.notBefore.UnixMilli(), p.left, p.tenant, p.after)
	if p.sources {
		cursor += "/" + p.source
	}
	return cursor
}

func parse(cursor string) (p position, ok bool) {
	if cursor == "" {
		return position{}, true
	}
	parts := strings.Split(cursor, "/")
	switch len(parts) {
	case 5:
	case 6:
		p.sources, p.source = true, parts[5]
	default:
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

// Slice does one slice of a job; see job.Slice. Examined counts the webhooks and sources
// of all passes, Processed the secrets that were moved or sealed again. A webhook or
// source that changed meanwhile, or whose secret cannot be read now, is left for the next
// pass. One whose secret is lost is passed over, and named in Reason.
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
	page, more, err := m.page(ctx, j.Tenant, at)
	if err := j.PassOver(err); err != nil {
		return j, err
	}
	tried := 0
	for _, o := range page {
		if tried == triedAtOnce || ctx.Err() != nil {
			more = true
			break
		}
		done, err := m.keep(ctx, j.Kind, o)
		switch {
		case webhook.SecretLost(err) && o.unchanged(ctx):
			j.Reason = fmt.Sprintf("The secrets of %s are lost: set them again", o)
		case err != nil:
			at.left++
			if !errors.Is(err, webhook.ErrConflict) && !webhook.SecretLost(err) { // both: it changed meanwhile
				m.warn(ctx, o, err)
			}
		case done:
			j.Processed++
		}
		if done || err != nil {
			tried++
		}
		at.after, at.source = o.id, o.source
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

func (m *Mover) warn(ctx context.Context, o owner, err error) {
	of := slog.Int64("webhook_id", int64(o.id))
	if o.source != "" {
		of = slog.String("source", o.source)
	}
	m.Logger.WarnContext(ctx, "cannot move secret", slog.String("tenant", string(o.tenant)), of, slog.Any("error", err))
}

// page returns the owners after a position, and whether there are more: webhooks of the
// position's tenant, or sources.
func (m *Mover) page(ctx context.Context, only webhook.Tenant, at position) (page []owner, more bool, err error) {
	if at.sources {
		return m.pageOfSources(ctx, only, at.source)
	}
	tenant := only
	if tenant == "" {
		tenant = at.tenant
	}
	webhooks, more, err := m.Webhooks.List(ctx, tenant, at.after, examinedAtOnce)
	for _, w := range webhooks {
		page = append(page, m.ownedBy(w))
	}
	return page, more, err
}

// pageOfSources returns as many sources as a slice tries.
func (m *Mover) pageOfSources(ctx context.Context, only webhook.Tenant, after string) (page []owner, more bool, err error) {
	names, unreadable := m.Sources.WithSecret(ctx, only)
	if _, err := webhook.Readable(unreadable); err != nil {
		return nil, false, err
	}
	names = names[sort.Search(len(names), func(i int) bool { return names[i] > after }):]
	if len(names) > triedAtOnce {
		names, more = names[:triedAtOnce], true
	}
	for _, name := range names {
		tenant, ref, err := m.Sources.SecretOf(ctx, name)
		switch {
		case errors.Is(err, webhook.ErrNotFound): // it was deleted meanwhile
		case err != nil:
			return nil, false, err
		default:
			page = append(page, m.ownedBySource(name, tenant, ref))
		}
	}
	return page, more, unreadable
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

// next returns the position after a tenant's last webhook: the next tenant, the sources
// after the last tenant, the next pass if this one left something, or pass 0 at the end.
func (m *Mover) next(ctx context.Context, j job.Job, at position) (position, error) {
	at.after = 0
	if j.Tenant == "" && !at.sources {
		tenant, err := m.NextTenant(ctx, at.tenant)
		if err != nil {
			return position{}, err
		}
		if tenant != "" {
			at.tenant = tenant
			return at, nil
		}
	}
	if m.Sources != nil && !at.sources {
		at.tenant, at.sources = "", true
		return at, nil
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
