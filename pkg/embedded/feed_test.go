package embedded

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A batch of large events is limited by bytes, not by the number of events.
func TestFeed_ABatchOfLargeEventsIsSmall(t *testing.T) {
	t.Parallel()
	db, err := Open(t.TempDir(), Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	data := json.RawMessage(`{"a":"` + strings.Repeat("x", 250_000) + `"}`)
	stored := 0
	for stored < 20 {
		id, err := webhook.NewEventID(time.Now(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if id.Partition(partitions) != 0 {
			continue
		}
		stored++
		if err := db.Events().Put(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for seen < stored {
		records, err := db.feedRecords(t.Context(), 0, feedBatch)
		if err != nil || len(records) == 0 || len(records) > feedBytes/250_000+1 {
			t.Fatalf("a batch has %d events of 250 KB, %v", len(records), err)
		}
		if err := db.acknowledge(t.Context(), 0, records); err != nil {
			t.Fatal(err)
		}
		seen += len(records)
	}
}
