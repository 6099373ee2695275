package ingest_test

import (
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// Whatever comes in a batch becomes an event or is counted: nothing is taken again
// while the stores work, and nothing panics.
func FuzzBatches(f *testing.F) {
	for n, seed := range []string{
		string(change(1, orders, start)), message(1, "Order Placed", start).Body, `{}`, `[]`, `null`, "\xff", `{"eventID":"1","dynamodb":null}`,
		`{"id":"1","source":"shop","detail-type":"a","detail":{}}`, `{"id":"1","source":"shop","detail-type":"a","time":"0001-01-01T00:00:00Z","detail":{"total":null}}`,
		`{"eventID":"1","eventName":"REMOVE","eventSourceARN":"` + orders + `/stream/x","dynamodb":{"ApproximateCreationDateTime":1e300,"SequenceNumber":"1","StreamViewType":"NEW_AND_OLD_IMAGES","OldImage":{"status":{"NS":["1","x"]}}}}`,
	} {
		f.Add(seed, n%2 == 0)
	}
	f.Fuzz(func(t *testing.T, raw string, listed bool) {
		b := newBatchBench(t)
		b.Logger, b.EventTenant = slog.New(slog.DiscardHandler), "Default"
		if listed {
			b.put(tableSource("orders"))
			s := busSource("shop", "Default")
			s.Bus = &source.Bus{Key: "total", ChangedBy: "by.id", Fields: []string{"total", "card"}}
			b.put(s)
		}
		if failed := b.Bus(t.Context(), []source.Message{{ID: "1", Body: raw}}); failed != nil {
			t.Errorf("as a message: failed")
		}
		if failed := b.Changes(t.Context(), []json.RawMessage{json.RawMessage(raw)}); failed != "" {
			t.Errorf("as a record: failed from %q", failed)
		}
	})
}
