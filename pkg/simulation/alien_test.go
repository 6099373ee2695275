package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// aliens are items that something else wrote to the table of events: no version of the
// service can read them. Each must come to the dead-letter queue, for an operator, and
// delay nothing else.
type aliens struct {
	w      *world
	made   []webhook.EventID
	buried []string // the bodies of dead letters that no process can read
}

// newAliens adds such items to one run in ten. Like newIngestion, it draws nothing from
// the world's random numbers.
func newAliens(w *world) *aliens {
	rnd := rand.New(rand.NewPCG(w.seed, 0x616c69656e))
	a := &aliens{w: w}
	if w.weather.lossy || w.weather.crowd > 0 || w.weather.hog > 0 || rnd.IntN(10) > 0 {
		return a
	}
	if rnd.IntN(2) == 0 { // so that Lambda gives up on some
		w.weather.retries, w.weather.queue, w.weather.faults = 0, max(w.weather.queue, 0.3), max(w.weather.faults, 16)
		w.faults = w.weather.faults
	}
	for range 1 + rnd.IntN(3) {
		kind, tenant := rnd.IntN(8), tenants[rnd.IntN(3)]
		w.at(w.began.Add(time.Duration(rnd.Int64N(int64(min(w.weather.lasts, 10*time.Minute))))), func() { a.arrive(kind, tenant) })
	}
	return a
}

// arrive puts an item, which the stream then carries.
func (a *aliens) arrive(kind int, tenant webhook.Tenant) {
	w, now := a.w, time.Now()
	id, err := webhook.NewEventID(now, &randomness{w: w, process: fmt.Sprint("alien", len(a.made))})
	if err != nil {
		panic(err)
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	item := map[string]types.AttributeValue{
		"pk": text(fmt.Sprintf("T#%s#%d", tenant, id.Partition(16))), "sk": text(string(id)), "name": text("contact.changed"), "key": number("7"),
		"by": number("1"), "hops": number("1"), "a": text(string(id)), // first, where a cut leaves it
	}
	switch kind {
	case 0: // more than a message of SQS can hold, in JSON
		item["name"], item["data"] = number("7"), text(strings.Repeat("\x01", 180_000))
	case 1, 2:
		item["packed"] = &types.AttributeValueMemberB{Value: []byte("not packed")}
	case 3, 4: // characters that SQS refuses
		item["name"], item["data"] = number("7"), text("\x00\uFFFE\uFFFF")
	default:
		item["name"] = number("7")
	}
	w.tracef("stream", "something else writes the item %s of %s, which cannot be read", id, tenant)
	a.made = append(a.made, id)
	w.db.put(context.Background(), tableEvents, item)
	s := w.shards[id.Partition(len(w.shards))]
	w.witness.mu.Lock()
	w.witness.events[id] = &happening{name: fmt.Sprintf("x%d", len(a.made)), stored: now, event: webhook.Event{Tenant: tenant, ID: id}}
	w.witness.mu.Unlock()
	s.feed = append(s.feed, fed{event: webhook.Event{Tenant: tenant, ID: id}, image: item, stored: now, number: len(s.feed)})
}

// audit checks that each item has come to the dead-letter queue.
func (a *aliens) audit() {
	for _, id := range a.made {
		if !slices.ContainsFunc(a.buried, func(body string) bool { return strings.Contains(body, string(id)) }) {
			a.w.violated("unreadable", "the item %s is in no dead letter", id)
		}
	}
}

// alienMutants break what is done with records that cannot be read.
var alienMutants = []mutant{
	{
		"unreadable: a record is dropped", "pkg/dispatch/plan.go",
		"\t\t\tb.bury(ctx, i)\n", "",
	},
	{
		"unreadable: a record that Lambda gave up on is dropped", "pkg/sweep/redrive.go",
		"s.DeadLetters.Bury(ctx, r.Undecodable); err != nil", "error(nil); err != nil",
	},
	{
		"unreadable: a record is buried as it is", "pkg/queue/sqs/deadletters.go",
		"aws.String(legible(raw))", "aws.String(strings.ToValidUTF8(legible(raw[:0])+string(raw), \"\"))",
	},
}
