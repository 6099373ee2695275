package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// arena is a store behind a gate, with new webhooks for each run.
type arena struct {
	t      *testing.T
	client *dynamodb.Client
	tables dynamo.Tables
	gate   *gate
	store  *dynamo.Webhooks
}

func newArena(t *testing.T) *arena {
	client := local(t)
	tables := newTables(t, client)
	g := &gate{Client: client, arrivals: make(chan arrival)}
	return &arena{t: t, client: client, tables: tables, gate: g, store: dynamo.New(g, tables, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)}).Webhooks()}
}

// webhook stores a new webhook at revision 1.
func (a *arena) webhook(events ...string) webhook.Webhook {
	a.t.Helper()
	id, err := a.store.NextID(a.t.Context(), "Default")
	if err != nil {
		a.t.Fatal(err)
	}
	w := webhook.Webhook{Tenant: "Default", ID: id, Events: events, State: webhook.StateActive, Revision: 1, TargetURL: "https://a.example"}
	if err := a.store.Create(a.t.Context(), w); err != nil {
		a.t.Fatal(err)
	}
	return w
}

func edited(w webhook.Webhook, events ...string) webhook.Webhook {
	w.Events, w.Revision = events, w.Revision+1
	return w
}

// noPointerLost fails if a stored webhook lacks a pointer for one of its
// events.
func (a *arena) noPointerLost(id int32, schedule string) {
	a.t.Helper()
	w, err := a.store.Get(a.t.Context(), "Default", id)
	if errors.Is(err, webhook.ErrNotFound) {
		return
	}
	if err != nil {
		a.t.Fatal(err)
	}
	for _, key := range w.PointerKeys() {
		found, err := storetest.Subscribed(a.t.Context(), a.store, "Default", key)
		if err != nil {
			a.t.Fatal(err)
		}
		if !slices.ContainsFunc(found, func(f webhook.Webhook) bool { return f.ID == id }) {
			a.t.Errorf("schedule %s: revision %d of webhook %d lost its pointer for %s", schedule, w.Revision, id, key)
		}
	}
}

// pointers returns the keys that have a pointer to the webhook.
func (a *arena) pointers(id int32, keys ...string) []string {
	a.t.Helper()
	var have []string
	for _, k := range keys {
		out, err := a.client.Query(a.t.Context(), &dynamodb.QueryInput{
			TableName: &a.tables.Webhooks, KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :prefix)"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":pk":     &types.AttributeValueMemberS{Value: "T#Default"},
				":prefix": &types.AttributeValueMemberS{Value: "S#" + k + "#"},
			},
			ConsistentRead: aws.Bool(true),
		})
		if err != nil {
			a.t.Fatal(err)
		}
		for _, it := range out.Items {
			sk, _ := it["sk"].(*types.AttributeValueMemberS)
			if sk.Value == "S#"+k+"#"+pad(id) {
				have = append(have, k)
			}
		}
	}
	return have
}

// items returns the keys of a webhook's own items, the webhook and its health,
// without the tombstone.
func (a *arena) items(id int32) []string {
	a.t.Helper()
	var have []string
	for _, k := range [][2]string{{"T#Default", "W#" + pad(id)}, {fmt.Sprintf("H#Default#%d", id), "H"}} {
		out, err := a.client.Query(a.t.Context(), &dynamodb.QueryInput{
			TableName: &a.tables.Webhooks, KeyConditionExpression: aws.String("pk = :pk"), ConsistentRead: aws.Bool(true),
			ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: k[0]}},
		})
		if err != nil {
			a.t.Fatal(err)
		}
		for _, it := range out.Items {
			if sk, _ := it["sk"].(*types.AttributeValueMemberS); strings.HasPrefix(sk.Value, k[1]) && it["gone"] == nil {
				have = append(have, k[0]+" "+sk.Value)
			}
		}
	}
	return have
}

func pad(id int32) string {
	digits := []byte("0000000000")
	for i := len(digits) - 1; id > 0; i, id = i-1, id/10 {
		digits[i] += byte(id % 10)
	}
	return string(digits)
}

func TestRace_TwoSaves(t *testing.T) {
	t.Parallel()
	for name, second := range map[string][]string{
		"different additions":              {"b", "d"},
		"the same addition":                {"b", "c"},
		"one keeps what the other removes": {"a", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			runs := everySchedule(t, a.gate, func() race {
				w := a.webhook("a", "b")
				var results [2]error
				ended := 0
				save := func(i int, w webhook.Webhook) func(context.Context) {
					return func(ctx context.Context) { results[i] = a.store.Update(ctx, w, webhook.Change{}); ended++ }
				}
				return race{
					actors: []func(context.Context){save(0, edited(w, "b", "c")), save(1, edited(w, second...))},
					between: func(schedule string) {
						a.noPointerLost(w.ID, schedule)
						if ended < 2 {
							return
						}
						if (results[0] == nil) == (results[1] == nil) {
							t.Errorf("schedule %s: results %v: exactly one must win", schedule, results)
						}
						want := []string{"b", "c"}
						if results[1] == nil {
							want = second
						}
						if have := a.pointers(w.ID, "a", "b", "c", "d"); !slices.Equal(have, want) {
							t.Errorf("schedule %s: pointers %v, want %v", schedule, have, want)
						}
					},
				}
			})
			t.Logf("%d schedules", runs)
		})
	}
}

// The second save takes back what the first may have removed and not yet
// pruned.
func TestRace_ALoserThatTriesAgainKeepsItsPointers(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	save := func(id int32, change func(webhook.Webhook) webhook.Webhook) func(context.Context) {
		return func(ctx context.Context) {
			for {
				w, err := a.store.Get(t.Context(), "Default", id) //nolint:contextcheck // ungated on purpose: Update reads again
				if err != nil {
					t.Error(err)
					return
				}
				if err = a.store.Update(ctx, change(w), webhook.Change{}); !errors.Is(err, webhook.ErrConflict) {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		}
	}
	runs := everySchedule(t, a.gate, func() race {
		w := a.webhook("a")
		return race{
			actors: []func(context.Context){
				save(w.ID, func(w webhook.Webhook) webhook.Webhook { return edited(w, "b") }),
				save(w.ID, func(w webhook.Webhook) webhook.Webhook { return edited(w, "a", "c") }),
			},
			between: func(schedule string) { a.noPointerLost(w.ID, schedule) },
		}
	})
	t.Logf("%d schedules", runs)
}

func TestRace_SaveAndDelete(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	runs := everySchedule(t, a.gate, func() race {
		w := a.webhook("a", "b")
		var saved, deleted error
		ended := 0
		return race{
			actors: []func(context.Context){
				func(ctx context.Context) { saved = a.store.Update(ctx, edited(w, "b", "c"), webhook.Change{}); ended++ },
				func(ctx context.Context) {
					deleted = a.store.Delete(ctx, "Default", w.ID, 1, webhook.Change{})
					ended++
				},
			},
			between: func(schedule string) {
				a.noPointerLost(w.ID, schedule)
				if ended < 2 {
					return
				}
				if (saved == nil) == (deleted == nil) {
					t.Errorf("schedule %s: saved %v, deleted %v: exactly one must win", schedule, saved, deleted)
				}
				want := []string{"b", "c"}
				if deleted == nil {
					want = nil
				}
				if have := a.pointers(w.ID, "a", "b", "c"); !slices.Equal(have, want) {
					t.Errorf("schedule %s: pointers %v, want %v", schedule, have, want)
				}
				if have := a.items(w.ID); (deleted == nil) != (len(have) == 0) {
					t.Errorf("schedule %s: deleted %v, and there is still %v", schedule, deleted, have)
				}
			},
		}
	})
	t.Logf("%d schedules", runs)
}

// A dispatcher reads the label first and may use the list until the label
// changes. A save adds c, keeps b and removes a.
func TestRace_SaveAndDispatch(t *testing.T) {
	t.Parallel()
	for key, wants := range map[string]bool{"a": false, "b": true, "c": true} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			runs := everySchedule(t, a.gate, func() race {
				w := a.webhook("a", "b")
				var label int64
				var view []webhook.Webhook
				saved, savedBefore, ended := false, false, 0
				return race{
					actors: []func(context.Context){
						func(ctx context.Context) {
							if err := a.store.Update(ctx, edited(w, "b", "c"), webhook.Change{}); err != nil {
								t.Error(err)
							}
							saved = true
							ended++
						},
						func(ctx context.Context) {
							savedBefore = saved
							var err error
							if label, err = a.store.Epoch(ctx, "Default"); err != nil {
								t.Error(err)
							}
							if view, err = storetest.Subscribed(ctx, a.store, "Default", key); err != nil {
								t.Error(err)
							}
							ended++
						},
					},
					between: func(schedule string) {
						if ended < 2 {
							return
						}
						now, err := a.store.Epoch(t.Context(), "Default")
						if err != nil {
							t.Fatal(err)
						}
						if label != now && !savedBefore {
							return // the list is used for what was accepted before the save alone
						}
						at := slices.IndexFunc(view, func(f webhook.Webhook) bool { return f.ID == w.ID && f.SubscribesTo(key) })
						if (at >= 0) != wants {
							t.Errorf("schedule %s: valid list has the webhook: %v, want %v (label %d, epoch %d)", schedule, at >= 0, wants, label, now)
						}
						if at >= 0 && view[at].Revision != w.Revision+1 {
							t.Errorf("schedule %s: valid list has revision %d", schedule, view[at].Revision)
						}
					},
				}
			})
			t.Logf("%d schedules", runs)
		})
	}
}
