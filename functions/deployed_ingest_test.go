package functions_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// unlisted is a value of the table's items and the bus's events that no mapping
// lists.
const unlisted = "4111-1111-1111-1111"

// source creates a source, which the test's end deletes.
func (d *deployment) source(document string) {
	d.t.Helper()
	admin := d.administrator()
	status, _, data := d.call(http.MethodPost, "/admin/v1/Sources", "application/json", []byte(document), admin)
	if status != http.StatusCreated {
		d.t.Fatalf("create a source: got %d %s", status, data)
	}
	var made struct{ Name string }
	if err := json.Unmarshal(data, &made); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		r, err := http.NewRequest(http.MethodDelete, d.url+"/admin/v1/Sources/"+made.Name, http.NoBody)
		if err != nil {
			d.t.Fatal(err)
		}
		r.Host = d.host
		admin(r)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
		}
	})
}

// awsJSON makes a call of an AWS service that has a JSON protocol and whose client
// the module does not need otherwise.
func (d *deployment) awsJSON(service, operation string, in, out any) {
	d.t.Helper()
	cfg, err := awsenv.Config(os.LookupEnv)
	if err != nil {
		d.t.Fatal(err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, *cfg.BaseEndpoint+"/", bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", operation)
	key, err := cfg.Credentials.Retrieve(d.t.Context())
	if err == nil {
		err = v4.NewSigner().SignHTTP(d.t.Context(), key, r, fmt.Sprintf("%x", sha256.Sum256(body)), service, cfg.Region, time.Now())
	}
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode == http.StatusOK {
		err = json.Unmarshal(data, out)
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: got %d %s (%v)", operation, answer.StatusCode, data, err)
	}
}

// putEvent puts an event on the bus and returns its id.
func (d *deployment) putEvent(source, detailType, detail string) string {
	d.t.Helper()
	type entry struct{ Source, DetailType, Detail, EventBusName string }
	var out struct {
		Entries []struct{ EventId, ErrorCode string } //nolint:revive // the wire's spelling
	}
	d.awsJSON("events", "AWSEvents.PutEvents", map[string]any{"Entries": []entry{{source, detailType, detail, os.Getenv("EVENT_BUS")}}}, &out)
	if len(out.Entries) != 1 || out.Entries[0].ErrorCode != "" {
		d.t.Fatalf("PutEvents: got %+v", out)
	}
	return out.Entries[0].EventId
}

// post is a POST as a target got it, its signature verified.
type post struct {
	Event, Entity       string
	PrimaryKey          int32
	Changes             []string
	FieldValues, Values map[string]any
}

// posts waits for n POSTs about a record and returns them in the order of their
// events' names.
func (g *target) posts(t *testing.T, n int, secret string, record int32) []post {
	t.Helper()
	var about []post
	eventually(t, fmt.Sprintf("%d POSTs", n), func() bool {
		about = nil
		g.mu.Lock()
		defer g.mu.Unlock()
		for i, body := range g.bodies {
			if !signature.VerifySuperOffice(secret, body, g.received[i].Header.Get("X-SuperOffice-Signature")) {
				t.Fatalf("the signature of %s does not verify", body)
			}
			if bytes.Contains(body, []byte(unlisted)) {
				t.Fatalf("an unlisted value is in %s", body)
			}
			var p post
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatal(err)
			}
			if p.PrimaryKey == record {
				slices.Sort(p.Changes)
				about = append(about, p)
			}
		}
		return len(about) >= n
	})
	slices.SortFunc(about, func(a, b post) int { return strings.Compare(a.Event, b.Event) })
	return about
}

// record returns the key of a new record: the table is shared with other tests.
func record() int32 { return int32(time.Now().UnixNano() % 1e9) }

func TestDeployed_BusEventArrivesSigned(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	mapped, unmapped := newTarget(t, http.StatusOK), newTarget(t, http.StatusOK)
	d.source(`{"Name": "deployed-bus", "Kind": "bus", "Tenant": "Default", "Bus": {"Sources": ["shop.orders"], "DetailTypes": ["Order Placed"],
		"Event": "deployedbus.placed", "Key": "order.id", "Fields": ["total", "vat"]}}`)
	first := d.create("deployedbus.placed", mapped.URL, "s")
	defer d.remove(first)
	second := d.create("deployed.unmapped", unmapped.URL, "s")
	defer d.remove(second)
	d.putEvent("shop.orders", "Order Placed", `{"order": {"id": 7}, "total": 1.50, "card": "`+unlisted+`"}`)
	d.putEvent("posthaste.webhooks", "Order Placed", `{"order": {"id": 8}, "total": 2, "card": "`+unlisted+`"}`)
	d.putEvent("shop.orders", "Deployed Unmapped", `{"total": 3}`)
	p := mapped.posts(t, 1, "s", 7)[0]
	if p.Entity != "deployedbus" || fmt.Sprint(p.FieldValues) != "map[total:1.5]" {
		t.Errorf("got %+v", p)
	}
	if p := unmapped.posts(t, 1, "s", 0)[0]; fmt.Sprint(p.FieldValues) != "map[total:3]" {
		t.Errorf("with the default mapping: got %+v", p)
	}
	eventually(t, "its counts", func() bool {
		_, _, data := d.call(http.MethodGet, "/admin/v1/Sources/deployed-bus", "", nil, d.administrator())
		return bytes.Contains(data, []byte(`"Counts":{"Taken":1,"Made":1,`)) && bytes.Contains(data, []byte(`"Missing":{"vat":1}`))
	})
	d.isNowhere(unlisted)
	if mapped.count() != 1 {
		t.Errorf("%d POSTs: the service's own events must not come back", mapped.count())
	}
}

func TestDeployed_TableChangesArriveSigned(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	d.orders("deployedorder")
	id := d.create("deployedorder.*", receiver.URL, "s")
	defer d.remove(id)
	table, text := aws.String(os.Getenv("ORDERS_TABLE")), func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := record()
	key := map[string]types.AttributeValue{"id": text(fmt.Sprint(number))}
	item := map[string]types.AttributeValue{"id": key["id"], "status": text("new"), "total": &types.AttributeValueMemberN{Value: "1.50"}, "card": text(unlisted)}
	if _, err := d.database.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: item}); err != nil {
		t.Fatal(err)
	}
	for _, update := range []string{"SET card = :v", "SET #s = :v"} { // the first is of no listed attribute
		in := &dynamodb.UpdateItemInput{
			TableName: table, Key: key, UpdateExpression: &update, ExpressionAttributeValues: map[string]types.AttributeValue{":v": text("paid " + unlisted[:4])},
		}
		if strings.Contains(update, "#s") {
			in.ExpressionAttributeNames = map[string]string{"#s": "status"}
		}
		if _, err := d.database.UpdateItem(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.database.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: table, Key: key}); err != nil {
		t.Fatal(err)
	}
	got := receiver.posts(t, 3, "s", number)
	want := []post{
		{Event: "deployedorder.changed", Entity: "deployedorder", Changes: []string{"status"}, FieldValues: map[string]any{"status": "paid 4111"}},
		{Event: "deployedorder.created", Entity: "deployedorder", Changes: []string{"amount", "status"}, FieldValues: map[string]any{"status": "new", "amount": 1.5}},
		{Event: "deployedorder.deleted", Entity: "deployedorder", Changes: []string{}, FieldValues: map[string]any{}, Values: map[string]any{"status": "paid 4111", "amount": 1.5}},
	}
	for i := range want {
		want[i].PrimaryKey = number
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	d.isNowhere(unlisted)
}

// orders makes the table a source, under an entity of the test's.
func (d *deployment) orders(entity string) {
	d.t.Helper()
	table, _, _ := strings.Cut(os.Getenv("ORDERS_STREAM"), "/stream/")
	d.source(fmt.Sprintf(`{"Name": %q, "Kind": "table", "Tenant": "Default", "Table": {"Table": %q, "Entity": %q, "Fields": ["status", "total"],
		"Rename": {"total": "amount"}, "Key": ["id"]}}`, entity, table, entity))
}

// The emulator ignores what a stream's mapping says about retries, so the object
// that Lambda would write when it gives up is put into the bucket here.
func TestDeployed_FailedTableChangesAreTakenAgain(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	d.orders("deployedagain")
	id := d.create("deployedagain.*", receiver.URL, "s")
	defer d.remove(id)
	now, number := time.Now().UTC(), record()
	batch, err := json.Marshal(map[string]any{"Records": []any{
		map[string]any{"eventID": "poison"},
		map[string]any{
			"eventID": fmt.Sprint("again", now.UnixNano()), "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventSourceARN": os.Getenv("ORDERS_STREAM"),
			"dynamodb": map[string]any{
				"ApproximateCreationDateTime": now.Unix(), "SequenceNumber": "1", "StreamViewType": "NEW_AND_OLD_IMAGES",
				"NewImage": map[string]any{"id": map[string]string{"S": fmt.Sprint(number)}, "status": map[string]string{"S": "new"}, "card": map[string]string{"S": unlisted}},
			},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	failure, err := json.Marshal(map[string]any{"version": "1.0", "timestamp": now, "payload": string(batch)})
	if err != nil {
		t.Fatal(err)
	}
	bucket := aws.String(os.Getenv("CHANGE_FAILURE_BUCKET"))
	key := fmt.Sprintf("aws/lambda/6a1d3f0e/shardId-00000001573689847184-864758bb/%s-%d", now.Format("2006/01/02/2006-01-02T15.04.05"), now.UnixNano())
	if _, err := d.buckets.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(failure)}); err != nil {
		t.Fatal(err)
	}
	d.swept(bucket, &key)
	if got := receiver.posts(t, 1, "s", number)[0]; got.Event != "deployedagain.created" || fmt.Sprint(got.FieldValues) != "map[status:new]" {
		t.Errorf("got %+v", got)
	}
	d.isNowhere(unlisted)
}

func TestDeployed_PoisonLeavesTheIngestQueue(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.behind", receiver.URL, "s")
	defer d.remove(id)
	for _, body := range []string{"not an event", `{"id": "1"}`} {
		d.send("INGEST_QUEUE_URL", body)
	}
	d.putEvent("shop.orders", "Deployed Behind", `{}`)
	receiver.posts(t, 1, "s", 0)
	eventually(t, "the queue is empty", func() bool { return d.waiting("INGEST_QUEUE_URL") == 0 })
}

// isNowhere fails the test if a value is in a table, queue, bucket or log of the
// service.
func (d *deployment) isNowhere(value string) {
	d.t.Helper()
	found := func(where string, stored any) {
		text, err := json.Marshal(stored)
		if err != nil {
			d.t.Fatal(err)
		}
		if bytes.Contains(text, []byte(value)) {
			d.t.Errorf("%s has an unlisted value: %s", where, text)
		}
	}
	for _, table := range []string{"WEBHOOKS_TABLE", "EVENTS_TABLE", "DELIVERIES_TABLE"} {
		pages := dynamodb.NewScanPaginator(d.database, &dynamodb.ScanInput{TableName: aws.String(os.Getenv(table))})
		for pages.HasMorePages() {
			page, err := pages.NextPage(d.t.Context())
			if err != nil {
				d.t.Fatal(err)
			}
			found(table, page.Items)
		}
	}
	events, err := d.store.Events().List(d.t.Context(), tenant, webhook.FirstEventID(time.Now().Add(-time.Hour)), webhook.FirstEventID(time.Now().Add(time.Hour)), 10_000)
	if err != nil {
		d.t.Fatal(err)
	}
	found("an event", events)
	for _, queue := range []string{"DELIVERY_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "INGEST_DEAD_LETTER_QUEUE_URL"} {
		out, err := d.queues.ReceiveMessage(d.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(os.Getenv(queue)), MaxNumberOfMessages: 10, VisibilityTimeout: 1})
		if err != nil {
			d.t.Fatal(err)
		}
		found(queue, out.Messages)
	}
	var groups struct {
		LogGroups []struct{ LogGroupName string }
	}
	d.awsJSON("logs", "Logs_20140328.DescribeLogGroups", struct{}{}, &groups)
	if len(groups.LogGroups) < 5 {
		d.t.Fatalf("%d log groups, want one of each function", len(groups.LogGroups))
	}
	for _, g := range groups.LogGroups {
		var lines struct{ Events []struct{ Message string } }
		d.awsJSON("logs", "Logs_20140328.FilterLogEvents", map[string]any{"logGroupName": g.LogGroupName, "limit": 10_000}, &lines)
		found(g.LogGroupName, lines)
	}
}
