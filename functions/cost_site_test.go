package functions_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/api"
	"github.com/posthaste-dev/posthaste/pkg/service/dispatcher"
	"github.com/posthaste-dev/posthaste/pkg/service/ingester"
	"github.com/posthaste-dev/posthaste/pkg/service/sweeper"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/simulation/meter"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// The lines of bills.
const (
	lineGateway     = "API Gateway"
	lineCalls       = "Lambda, invocations"
	lineTime        = "Lambda, time"
	lineQueue       = "SQS"
	lineReads       = "DynamoDB, reads"
	lineEvent       = "DynamoDB, write of the event"
	lineRow         = "DynamoDB, write of the delivery"
	lineDue         = "DynamoDB, index of unfinished deliveries"
	lineHealth      = "DynamoDB, write of health"
	lineStatistics  = "DynamoDB, write of statistics"
	lineOther       = "DynamoDB, other writes"
	lineEventStored = "event, stored for 30 days"
	lineRowStored   = "delivery, stored for 33 days"
	lineOtherStored = "other items, stored for 33 days"
	lineLogs        = "logs"
	lineTraffic     = "traffic to the target"
	lineLists       = "S3, listing"
)

const costTenant = webhook.Tenant("Default")

// costSite is a deployment whose calls are counted and priced: the handlers of the
// functions on tables and queues in memory, in a bubble whose clock stands still unless
// all wait. A call of AWS and a target's response take as long as docs/prices.json
// assumes, so an invocation takes as long as its calls in sequence.
type costSite struct {
	t      *testing.T
	prices *prices
	memory map[string]float64 // of the functions, in MB
	on     service.Contracts
	db     *meter.Database
	queue  *costQueue
	sender *outbound.Sender

	api, deliver, retry, ingest, sweep lambda.Handler

	// answer returns the status and the delay of a target's response. nil: 200, at once
	// after the assumed time.
	answer func(r *http.Request) (status int, after time.Duration)

	logged, sent, posts, lists atomic.Int64
	bill                       bill
	spent                      meter.Spent // of the last invocation
	streamed                   int         // changes of the Events table that were taken
}

func newCostSite(t *testing.T, p *prices) *costSite {
	t.Helper()
	s := &costSite{t: t, prices: p, memory: memories(t), bill: bill{}}
	s.db = meter.New(time.Now, func(context.Context) error {
		time.Sleep(s.milliseconds("table call ms"))
		return nil
	})
	s.queue = &costQueue{site: s}
	logger := slog.New(telemetry.NewHandler(logMeter{s}, slog.LevelInfo))
	random := webhooktest.Random(1)
	store := dynamo.New(s.db, meter.Tables, dynamo.Options{Now: time.Now, Random: random})
	s.on = service.Contracts{
		Logger: logger, Now: time.Now, Random: random,
		Delivering: config.Delivering{Policy: webhook.PolicyDurable, EventTTL: 30 * 24 * time.Hour, DeliveryExtra: 3 * 24 * time.Hour},
		Webhooks:   store.Webhooks(), Founder: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(), Statistics: store.Statistics(),
		Secrets: costSecrets{}, Tenants: store.Tenants(), Credentials: store.Credentials(), Jobs: store.Jobs(), Erasure: store.Erasure(),
		Sources: store.Sources(), Messages: &sqs.Queue{Client: s.queue, URL: "delivery", SlowURL: "slow"},
		OwnTables: []string{meter.Tables.Webhooks, meter.Tables.Events, meter.Tables.Deliveries},
	}
	var err error
	s.sender, err = outbound.New(outbound.Config{
		UserAgent: "Posthaste/v1.0.0", AllowHTTP: true, Now: time.Now,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
		},
		Connect: s.connect,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sender.CloseIdle)
	dead := &sqs.DeadLetters{Client: s.queue, URL: "dead"}
	engine := dispatcher.New(s.on, s.sender, dead)
	batches := ingester.New(s.on)
	s.deliver = trigger.Stream(dynamo.DecodeStream, engine.Stream, logger)
	s.retry = trigger.Queue(engine.Queue, logger)
	s.ingest = trigger.Ingest(batches.Bus, batches.Changes, logger)
	s.sweep = trigger.Schedule(sweeper.New(s.on, dead, emptyBucket{s}).Run, logger)
	first := func(context.Context) (webhook.Secret, error) { return webhook.NewSecret("tje0:Tje0"), nil }
	s.api = trigger.HTTP(api.New(s.on, s.sender, api.Config{First: first, Admin: first, AdminUser: "admin"}), httpapi.WriteError, "", logger)
	return s
}

func (s *costSite) milliseconds(assumption string) time.Duration {
	return time.Duration(s.prices.assume(s.t, assumption) * float64(time.Millisecond))
}

func (s *costSite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// charge adds a quantity of something to the bill.
func (s *costSite) charge(line, price string, quantity float64) {
	s.t.Helper()
	if quantity != 0 {
		s.bill[line] += s.prices.dollars(s.t, price, quantity)
	}
}

// charged returns the bill since the last call.
func (s *costSite) charged() bill {
	b := s.bill
	s.bill = bill{}
	return b
}

// invoke invokes a function and charges what it takes. A batch must succeed as a whole.
// Time is what the invocation waits, and the assumed processor time as if nothing of it
// passed while it waits.
func (s *costSite) invoke(function string, handler lambda.Handler, payload []byte) []byte {
	s.t.Helper()
	s.db.Spent()
	s.queue.calls.Store(0)
	logged, sent, posts, lists, began := s.logged.Load(), s.sent.Load(), s.posts.Load(), s.lists.Load(), time.Now()
	out, err := handler.Invoke(s.t.Context(), payload)
	s.must(err)
	if strings.Contains(string(out), "itemIdentifier") {
		s.t.Fatalf("%s: %s", function, out)
	}
	waited := time.Since(began)
	s.spent = s.db.Spent()
	calls := s.queue.calls.Load()
	awsCalls, made := float64(calls+s.lists.Load()-lists), float64(s.posts.Load()-posts)
	for _, n := range s.spent.Calls {
		awsCalls += float64(n)
	}
	cpu := s.prices.assume(s.t, "CPU ms of a function call") + awsCalls*s.prices.assume(s.t, "CPU ms of a table or queue call") + made*s.prices.assume(s.t, "CPU ms of a POST")
	share := min(1, s.memory[function]/s.prices.assume(s.t, "MB of memory for one vCPU"))
	ms := math.Ceil(float64(waited)/float64(time.Millisecond) + cpu/share)
	s.charge(lineCalls, "function calls", 1)
	s.charge(lineTime, "function time", ms/1000*s.memory[function]/1024)
	s.charge(lineQueue, "queue calls", float64(calls))
	s.charge(lineLists, "bucket lists", float64(s.lists.Load()-lists))
	s.charge(lineLogs, "logs", float64(s.logged.Load()-logged)/1e9)
	s.charge(lineTraffic, "traffic", (float64(s.sent.Load()-sent)+made*s.prices.assume(s.t, "bytes that TLS and TCP add to a POST"))/1e9)
	for _, u := range s.spent.Uses {
		s.chargeTable(u)
	}
	return out
}

// chargeTable charges what DynamoDB bills for an operation.
func (s *costSite) chargeTable(u memdb.Use) {
	written, stored, days := lineOther, lineOtherStored, 33.0
	switch {
	case u.Table == meter.Tables.Events && strings.HasPrefix(u.Partition, "T#"):
		written, stored, days = lineEvent, lineEventStored, 30
	case u.Index != "":
		written, stored = lineDue, lineRowStored
	case u.Table == meter.Tables.Deliveries:
		written, stored = lineRow, lineRowStored
	case strings.HasPrefix(u.Partition, "H#"):
		written = lineHealth
	case strings.HasPrefix(u.Partition, "T#") && strings.Contains(u.Partition, "#W#"):
		written = lineStatistics
	}
	s.charge(lineReads, "table reads", u.Read)
	s.charge(written, "table writes", u.Write)
	s.charge(stored, "table storage", float64(u.Stored)/1e9*days/s.prices.assume(s.t, "days of a month"))
}

// call calls the API through the gateway, and expects a status.
func (s *costSite) call(path, body string, headers map[string]string, want int) {
	s.t.Helper()
	all := map[string]string{"authorization": "Basic dGplMDpUamUw", "content-type": "application/json", "host": "api.example.com"}
	for name, value := range headers {
		all[name] = value
	}
	payload, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "headers": all, "body": body,
		"requestContext": map[string]any{"requestId": "JKJaXmPLvHcESHA=", "http": map[string]any{"method": "POST", "path": path, "sourceIp": "192.0.2.7"}},
	})
	s.must(err)
	out := s.invoke("ApiFunction", s.api, payload)
	var got struct {
		StatusCode int
		Body       string
	}
	s.must(json.Unmarshal(out, &got))
	if got.StatusCode != want {
		s.t.Fatalf("POST %s: got %d %s, want %d", path, got.StatusCode, got.Body, want)
	}
	s.charge(lineGateway, "gateway calls", math.Ceil(float64(len(body))/(512<<10)))
	s.charge(lineLogs, "logs", (s.prices.assume(s.t, "bytes of an access log line")+s.prices.assume(s.t, "bytes that CloudWatch adds to a log line"))/1e9)
}

// logMeter counts the bytes of log lines.
type logMeter struct{ site *costSite }

func (m logMeter) Write(line []byte) (int, error) {
	m.site.logged.Add(int64(len(line)) - 1 + int64(m.site.prices.assume(m.site.t, "bytes that CloudWatch adds to a log line")))
	return len(line), nil
}

// costSecrets are secrets that every process has cached.
type costSecrets struct{ webhook.Secrets }

func (costSecrets) Read(context.Context, webhook.SecretRef) (webhook.SecretDocument, error) {
	return webhook.SecretDocument{Current: webhook.NewSecret(costSecret)}, nil
}

// emptyBucket is a failure bucket without records.
type emptyBucket struct{ site *costSite }

func (b emptyBucket) List(context.Context, string, int) ([]string, error) {
	b.site.lists.Add(1)
	time.Sleep(b.site.milliseconds("bucket call ms"))
	return nil, nil
}

func (emptyBucket) Open(context.Context, string) ([]webhook.Record, error) {
	return nil, webhook.ErrNotFound
}

func (emptyBucket) Remove(context.Context, string) error { return nil }

// connect connects to the target, which counts the bytes that it gets.
func (s *costSite) connect(context.Context, netip.AddrPort) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		in := bufio.NewReader(counting{server, &s.sent})
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			s.posts.Add(1)
			status, after := http.StatusOK, s.milliseconds("target ms")
			if s.answer != nil {
				status, after = s.answer(r)
			}
			time.Sleep(after)
			if _, err := fmt.Fprintf(server, "HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nok", status); err != nil {
				return
			}
		}
	}()
	return client, nil
}

type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
