package simulation_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// damage makes rows unreadable for a while, as a newer version of the service might
// write them: what processes read has an attribute of another type, in the table and in
// the index of due rows. Writes by an expression take effect, though their response is
// unreadable. Other rows must not notice, and nothing is lost.
type damage struct {
	w    *world
	rows map[delivery.Key]bool      // unreadable now
	last map[delivery.Key]time.Time // when a row began or ceased to be
}

// newDamage damages rows in one run in eight. Like newIngestion, it draws nothing from
// the world's random numbers.
func newDamage(w *world) *damage {
	d := &damage{w: w, rows: map[delivery.Key]bool{}, last: map[delivery.Key]time.Time{}}
	rnd := rand.New(rand.NewPCG(w.seed, 0x64616d616765))
	if w.weather.faults == 0 || rnd.IntN(8) > 0 {
		return d
	}
	for range 1 + rnd.IntN(4) {
		lasts := time.Duration(rnd.Int64N(int64([]time.Duration{10 * time.Second, 10 * time.Minute, 2 * time.Hour}[rnd.IntN(3)])))
		w.at(w.began.Add(time.Duration(rnd.Int64N(int64(min(w.weather.lasts, 10*time.Minute))))), func() { d.strike(rnd, lasts) })
	}
	return d
}

func (d *damage) strike(rnd *rand.Rand, lasts time.Duration) {
	key, ok := d.w.witness.someRow(rnd)
	if !ok || d.w.doom.erased(key.Tenant) {
		return
	}
	d.set(key, true)
	d.w.witness.events[key.Event].unread = true // a replay passes it over
	d.w.at(time.Now().Add(lasts), func() { d.set(key, false) })
}

func (d *damage) set(key delivery.Key, unreadable bool) {
	d.w.mu.Lock()
	d.rows[key], d.last[key] = unreadable, time.Now()
	d.w.mu.Unlock()
	text := "can be read again"
	if unreadable {
		text = "cannot be read"
	}
	d.w.tracef("weather", "the row w%d/%s %s", about(key), d.w.witness.name(key.Event), text)
}

// unreadable reports whether a row is.
func (d *damage) unreadable(key delivery.Key) bool {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.rows[key]
}

// readableSince reports whether a row could be read at all times since then.
func (d *damage) readableSince(key delivery.Key, then time.Time) bool {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return !d.rows[key] && d.last[key].Before(then)
}

// spoils makes an item that a process reads unreadable, if its row is.
func (d *damage) spoils(ctx context.Context, table *string, it map[string]types.AttributeValue) bool {
	if processOf(ctx) == nil || aws.ToString(table) != tableDeliveries || it["pk"] == nil || it["sk"] == nil {
		return false
	}
	if !d.unreadable(rowKey(it)) {
		return false
	}
	it["resends"] = &types.AttributeValueMemberS{Value: "many"}
	return true
}

// written spoils the response of a write, or of one that was refused. The process does
// not know whether its write took effect.
func (d *damage) written(ctx context.Context, table *string, label, about string, response map[string]types.AttributeValue, err error) {
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		response = refused.Item
	}
	if d.spoils(ctx, table, response) {
		d.trouble(ctx, about)
		d.w.db.doubt(ctx, label, about)
	}
}

// read spoils what a process reads.
func (d *damage) read(ctx context.Context, table *string, about string, it map[string]types.AttributeValue) {
	if d.spoils(ctx, table, it) {
		d.trouble(ctx, about)
	}
}

// listed spoils the rows among a page. The others are not affected.
func (d *damage) listed(ctx context.Context, table *string, out *dynamodb.QueryOutput) {
	if out == nil {
		return
	}
	for _, it := range out.Items {
		d.spoils(ctx, table, it)
	}
}

func (d *damage) trouble(ctx context.Context, about string) {
	p := processOf(ctx)
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	p.troubles = append(p.troubles, trouble{at: time.Now(), what: failAfter, kind: kindStore, about: about})
}

// damageMutants break what is done with rows that cannot be read.
var damageMutants = []mutant{
	{
		"unreadable: a due row ends its page", "pkg/store/dynamo/delivery_list.go",
		"			broken.add(it, r.err)\n			return true\n		}\n		found = append(found, d)", "			return false\n		}\n		found = append(found, d)",
	},
	{
		"unreadable: a message for such a row is done", leased,
		"\"cannot write lease\", \"event_id\", string(m.Event), \"error\", err)\n\t\treturn fate{}", "\"cannot write lease\", \"error\", err)\n\t\treturn fate{done: true}",
	},
}
