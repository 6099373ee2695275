package simulation_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	wiring "github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// doom is the deletion of a tenant under traffic: nothing of it is left in the end,
// and the others notice nothing.
type doom struct {
	w      *world
	tenant webhook.Tenant // "": none is deleted in this run
	marked time.Time
	job    string
	// revived are rows that dead letters left, which expire.
	revived map[delivery.Key]bool
}

// refusing is how long after its deletion began a tenant's callers may still begin
// calls.
const refusing = 5 * time.Second

// newDoom deletes a tenant in one run in five of those without sources. Like
// newIngestion, it draws nothing from the world's random numbers.
func newDoom(w *world) *doom {
	rnd := rand.New(rand.NewPCG(w.seed, 0x646f6f6d))
	d := &doom{w: w, revived: map[delivery.Key]bool{}}
	if len(w.ingestion.lanes)+len(w.relays.envs) > 0 || w.weather.weeks || w.weather.lossy || rnd.IntN(5) > 0 {
		return d
	}
	d.tenant = tenants[1+rnd.IntN(2)]
	// The deletion counts on Lambda to end what runs for longer than its timeout.
	w.weather.freeze, w.weather.hold = 0, 0
	if err := w.db.peek.Tenants().Create(context.Background(), d.tenant, w.began); err != nil {
		w.violated("store", "cannot create tenant %s: %v", d.tenant, err)
	}
	first := time.Duration(rnd.Int64N(int64(min(w.weather.lasts, 20*time.Minute))))
	w.actors = append(w.actors, &user{w: w, name: "root", env: &environment{w: w, kind: "api-root"}, left: 1, after: w.began.Add(first), step: d.begin})
	return d
}

func (d *doom) functions(e *environment, on wiring.Contracts) {
	e.administration = &tenancy.Administration{Tenants: on.Tenants, Credentials: on.Credentials, Jobs: on.Jobs, Now: on.Now, Random: on.Random}
}

// begin has the tenant deleted, and repeats the call until it succeeds.
func (d *doom) begin(u *user) {
	u.call("delete tenant "+string(d.tenant), func(ctx context.Context, e *environment) (err error) {
		d.job, err = e.administration.DeleteTenant(ctx, u.who.Associate, d.tenant)
		return err
	}, func(err error) {
		if err != nil {
			u.left++
		}
	})
}

// committed records that the tenant was marked, or forgotten.
func (d *doom) committed(ctx context.Context) {
	record, err := d.w.db.peek.Tenants().Get(ctx, d.tenant)
	if err == nil && record.Deleting != "" && d.marked.IsZero() {
		d.marked = time.Now()
		d.w.tracef("tenants", "%s is being deleted", d.tenant)
	}
}

// erased reports whether what is stored of a tenant may be erased by now.
func (d *doom) erased(tenant webhook.Tenant) bool { return tenant == d.tenant && !d.marked.IsZero() }

// refuses reports whether a tenant's callers are refused by now.
func (d *doom) refuses(tenant webhook.Tenant) bool {
	return d.erased(tenant) && time.Since(d.marked) > refusing
}

// wrote records that a row was written.
func (d *doom) wrote(p *process, old, row delivery.Row) {
	if d.erased(row.Tenant) && !old.Exists() && p != nil && strings.HasPrefix(p.name, "sweep") {
		d.revived[row.Key] = true
	}
}

// erased forgets a row that was erased.
func (l *witness) erased(key delivery.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.rows[key]
	delete(l.rows, key)
	l.noteDue(old, delivery.Row{})
}

// audit checks that nothing of the tenant is left, except what must never restart or
// expires by itself.
func (d *doom) audit() {
	w := d.w
	if d.tenant == "" {
		return
	}
	ctx := context.Background()
	if d.marked.IsZero() {
		w.violated("deletion", "%s was never marked", d.tenant)
	}
	if j, err := w.db.peek.Jobs().Get(ctx, d.job); err != nil || j.Status != job.Done {
		w.violated("deletion", "the job that deletes %s is %s, %s (%v)", d.tenant, j.Status, j.Reason, err)
	}
	if record, err := w.db.peek.Tenants().Get(ctx, d.tenant); err == nil {
		w.violated("deletion", "%s is still stored: %+v", d.tenant, record)
	}
	for _, key := range w.witness.sortedRows() {
		if key.Tenant == d.tenant && !d.revived[key] {
			w.violated("deletion", "the row w%d/%s is left of %s", about(key), w.witness.name(key.Event), d.tenant)
		}
	}
	for _, id := range w.witness.order {
		if _, err := w.db.peek.Events().Get(ctx, d.tenant, id); err == nil {
			w.violated("deletion", "%s is left of %s", w.witness.name(id), d.tenant)
		}
	}
	out, err := w.db.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(tableWebhooks), KeyConditionExpression: aws.String("pk = :pk"), ConsistentRead: aws.Bool(true),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: "T#" + string(d.tenant)}},
	})
	if err != nil {
		w.violated("store", "cannot read what is left of %s: %v", d.tenant, err)
		return
	}
	for _, it := range out.Items {
		if sk := str(it["sk"]); sk != "SEQ" && sk != "EPOCH" {
			w.violated("deletion", "the item %s is left of %s", sk, d.tenant)
		}
	}
	for name := range w.vault.secrets {
		if strings.HasPrefix(name, "posthaste/"+string(d.tenant)+"/") {
			w.violated("deletion", "the secret %s is left of %s", name, d.tenant)
		}
	}
}
