package functions_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// inSite runs a scenario on a deployment of its own.
func inSite(t *testing.T, p *prices, run func(s *costSite)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(5 * time.Minute) // not at a full hour
		run(newCostSite(t, p))
	})
}

// flow is deliveries that are priced.
type flow struct {
	events, batch int // batch is how many events DeliverFunction finds at once
	webhooks      int // that each event matches
	bytes         int // of an event's data
	failing       int // each how many-th delivery fails at first; 0: none
	lane          string
	memory        float64 // of the functions, in MB; 0: as in the template
}

// deliveries returns the bill of a million deliveries, each with its part of the event's
// write. The functions are warm and the statistics of the hour exist.
func (f flow) deliveries(t *testing.T, p *prices) (b bill) {
	t.Helper()
	inSite(t, p, func(s *costSite) {
		for function := range s.memory {
			s.memory[function] = cmp.Or(f.memory, s.memory[function])
		}
		for id := range f.webhooks {
			s.hook(int32(id+1), "order.placed", f.lane != "queue")
		}
		s.hook(int32(f.webhooks+1), "order.other", true)
		warm := "order.placed"
		if f.lane == "queue" { // they earn the fast lane with their first delivery
			warm = "order.other"
		}
		s.call("/api/v1/Webhook/"+warm+"/1", values(f.bytes), nil, 204)
		s.stream(1)
		s.work(10)
		if f.lane == "slow" {
			s.slowDown()
		}
		s.fail(f.failing)
		s.charged()
		s.signal(f.events, f.bytes)
		stored := s.charged()
		s.stream(f.batch)
		s.work(min(f.batch, 10))
		b = s.charged()
		for _, line := range []string{lineEvent, lineEventStored} {
			b[line] += stored[line]
		}
		b = b.times(1e6 / float64(f.events*f.webhooks))
	})
	return b
}

// slowDown has the target respond late, and the service know it.
func (s *costSite) slowDown() {
	s.answer = func(*http.Request) (int, time.Duration) { return http.StatusOK, s.milliseconds("slow target ms") }
	_, err := s.on.Webhooks.UpdateHealth(s.t.Context(), costTenant, 1, func(h webhook.Health) webhook.Health {
		h.Slow, h.Latency = true, 6*time.Second
		return h
	})
	s.must(err)
	time.Sleep(time.Minute)
}

// fail has each how many-th delivery fail at the first attempt. Attempts of one batch
// end one after the other: which of two failures is recorded first must not be up to
// the Go runtime.
func (s *costSite) fail(every int) {
	if every == 0 {
		return
	}
	var mu sync.Mutex
	seen := map[string]int{}
	s.answer = func(r *http.Request) (int, time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		id := r.Header.Get("webhook-id")
		n, again := seen[id]
		if !again {
			n = len(seen)
			seen[id] = n
		}
		status := http.StatusOK
		if !again && n%every == every-1 {
			status = http.StatusInternalServerError
		}
		return status, s.milliseconds("target ms") + time.Duration(n)*10*time.Microsecond
	}
}

// wayIn returns the bill of a million events that come in a way, and how many at once.
// It has the events' writes and storage.
func wayIn(t *testing.T, p *prices, way string, n int) (b bill) {
	t.Helper()
	inSite(t, p, func(s *costSite) {
		s.hook(1, "order.placed", true)
		s.sources()
		take := map[string]func(n, times int){
			"signal":     func(int, int) { s.signal(1, eventBytes) },
			"keyed":      s.keyed,
			"events":     s.submit,
			"identified": s.identified,
			"relay":      s.relay,
			"bus":        s.bus,
			"changes":    s.changes,
		}[way]
		take(n, 0) // credentials, sources and tenants are cached
		s.charged()
		for times := range 10 {
			take(n, times+1)
		}
		b = s.charged().times(1e6 / float64(10*n))
	})
	return b
}

// keyed signals an event under an idempotency key.
func (s *costSite) keyed(_, times int) {
	s.call("/api/v1/Webhook/order.placed/1", values(eventBytes), map[string]string{"idempotency-key": strconv.Itoa(times)}, 204)
}

// submit sends events by one call.
func (s *costSite) submit(n, _ int) {
	event := `{"Event":"order.placed","PrimaryKey":7,"FieldValues":` + values(eventBytes) + `}`
	s.call("/api/v1/Events", "["+strings.Repeat(event+",", n-1)+event+"]", nil, 202)
}

// identified sends events with ids by one call.
func (s *costSite) identified(n, times int) {
	events := make([]string, n)
	for i := range events {
		events[i] = fmt.Sprintf(`{"Event":"order.placed","PrimaryKey":7,"Source":"shop","Id":"%d-%d","FieldValues":%s}`, times, i, values(eventBytes))
	}
	s.call("/api/v1/Events", "["+strings.Join(events, ",")+"]", nil, 202)
}

// sources creates a source of each kind.
func (s *costSite) sources() {
	s.must(s.on.Tenants.Create(s.t.Context(), "Acme", time.Now()))
	for _, x := range []source.Source{
		{Name: "shop", Kind: source.KindRelay, Relay: &source.Relay{Protocol: source.ProtocolStandard, Secret: webhook.SecretRef{Name: "posthaste/webhooks/Acme/0/x", Version: "v"}}},
		{Name: "bus", Kind: source.KindBus, Bus: &source.Bus{Sources: []string{"com.shop"}, Event: "order.placed"}},
		{Name: "orders", Kind: source.KindTable, Table: &source.Table{Table: ordersTable, Entity: "order", Fields: []string{"name"}, Key: []string{"id"}}},
	} {
		x.Tenant, x.Revision, x.Created, x.Updated = "Acme", 1, time.Now(), time.Now()
		s.must(s.on.Sources.Put(s.t.Context(), x))
	}
	time.Sleep(time.Minute)
}

const ordersTable = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"

// relay sends a webhook of another service.
func (s *costSite) relay(_, times int) {
	id, body, now := fmt.Sprintf("msg_%d", times), `{"type":"order.placed","timestamp":"`+time.Now().UTC().Format(time.RFC3339)+`","data":`+values(eventBytes)+`}`, time.Now()
	signed, err := signature.Standard(id, now, []byte(body), costSecret)
	s.must(err)
	s.call("/in/v1/shop", body, map[string]string{
		"webhook-id": id, "webhook-timestamp": strconv.FormatInt(now.Unix(), 10), "webhook-signature": signed,
	}, 200)
	time.Sleep(time.Minute)
}

// bus passes events of a bus to IngestFunction.
func (s *costSite) bus(n, times int) {
	records := make([]map[string]any, n)
	for i := range records {
		id := fmt.Sprintf("6a7e8feb-b491-4cf7-a9f1-%06d%06d", times, i)
		records[i] = map[string]any{
			"messageId": id, "eventSource": "aws:sqs", "attributes": map[string]string{"SentTimestamp": strconv.FormatInt(time.Now().UnixMilli(), 10)},
			"body": fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"Order Placed","source":"com.shop","account":"111122223333","time":%q,"region":"us-east-1","resources":[],"detail":%s}`,
				id, time.Now().UTC().Format(time.RFC3339), values(eventBytes)),
		}
	}
	s.take(records)
	s.charge(lineQueue, "queue calls", float64(n)+2) // EventBridge sends each; Lambda receives and deletes the batch
}

// changes passes changes of a table to IngestFunction.
func (s *costSite) changes(n, times int) {
	records := make([]map[string]any, n)
	for i := range records {
		key := map[string]any{"id": map[string]string{"N": strconv.Itoa(i + 1)}}
		image := map[string]any{"id": key["id"], "name": map[string]string{"S": values(eventBytes)}}
		records[i] = map[string]any{
			"eventID": fmt.Sprintf("%016d%016d", times, i), "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventSourceARN": ordersTable + "/stream/2026-01-01T00:00:00.000",
			"dynamodb": map[string]any{
				"ApproximateCreationDateTime": time.Now().Unix(), "Keys": key, "NewImage": image, "SequenceNumber": fmt.Sprintf("%010d%011d", times, i), "StreamViewType": "NEW_AND_OLD_IMAGES",
			},
		}
	}
	s.take(records)
}

// take passes records to IngestFunction, which must make an event of each.
func (s *costSite) take(records []map[string]any) {
	payload, err := json.Marshal(map[string]any{"Records": records})
	s.must(err)
	before := s.events()
	s.invoke("IngestFunction", s.ingest, payload)
	if n := s.events() - before; n != len(records) {
		s.t.Fatalf("%d records became %d events", len(records), n)
	}
	time.Sleep(time.Minute)
}

// sweepMonth returns the bill of a month of sweeps that find nothing to do.
func sweepMonth(t *testing.T, p *prices) (b bill) {
	t.Helper()
	inSite(t, p, func(s *costSite) {
		s.invoke("SweepFunction", s.sweep, []byte("{}"))
		s.charged()
		const hour = 60
		for range hour {
			time.Sleep(time.Minute)
			s.invoke("SweepFunction", s.sweep, []byte("{}"))
		}
		b = s.charged().times(p.assume(t, "days of a month") * 24)
	})
	return b
}
