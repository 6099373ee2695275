package dynamo_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const eventID = "019a0000-0000-7000-8000-000000000001"

// streamInsert returns a record as Lambda passes it.
func streamInsert(sequence, pk, extra string) string {
	return fmt.Sprintf(`{"eventID":"c4ca","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-west-1",`+
		`"dynamodb":{"ApproximateCreationDateTime":1.795514461E9,"Keys":{"pk":{"S":%q},"sk":{"S":%q}},`+
		`"NewImage":{"pk":{"S":%q},"sk":{"S":%q},"name":{"S":"contact.changed"},"key":{"N":"7"},"by":{"N":"1"},`+
		`"at":{"N":"17955144611234567"},"hops":{"N":"1"},"expires_at":{"N":"1798106462"},"expires_ms":{"N":"1798106461123"}%s},`+
		`"SequenceNumber":%q,"SizeBytes":300,"StreamViewType":"NEW_IMAGE"},"eventSourceARN":"arn:aws:dynamodb:eu-west-1:1:table/e/stream/1"}`,
		pk, eventID, pk, eventID, extra, sequence)
}

func batchOf(records ...string) []byte {
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

func TestDecodeStream(t *testing.T) {
	t.Parallel()
	good := streamInsert("11", "T#Default#3", `,"data":{"S":"{\"a\":1}"},"app":{"S":"app1"}`)
	record := webhook.Record{
		Event: webhook.Event{
			Tenant: "Default", ID: eventID, Name: "contact.changed", PrimaryKey: 7, Data: json.RawMessage(`{"a":1}`), ChangedBy: 1,
			At: time.Unix(0, 1795514461123456700).UTC(), Hops: 1, App: "app1", ExpiresAt: time.UnixMilli(1798106461123).UTC(),
		},
		Accepted: time.Unix(1795514461, 0).UTC(), Sequence: "11",
	}
	packed := record
	packed.Event.Data, packed.Event.App = json.RawMessage(`{}`), ""
	content := record
	content.Event.Data, content.Event.Key, content.Event.App = nil, "a#1", ""
	content.Event.Content = &webhook.Content{Changes: []string{}, Values: json.RawMessage(`{"a":1.0}`), Source: "/in/crm"}
	const stored = `{"Changes":[],"Values":{"a":1.0},"Source":"/in/crm"}`
	newer := webhook.Record{
		Event: webhook.Event{Tenant: "Default", ID: eventID}, Newer: true, Accepted: record.Accepted, Sequence: "16",
	}
	newerVersion := fmt.Sprintf(`,"v":{"N":"%d"}`, webhook.EventSchema+1)
	newerBatch := streamInsert("16", "T#Default#3", newerVersion)
	newerForm := strings.Replace(newerBatch, `{"N":"7"}`, `"seven"`, 1)
	undecodable := func(sequence, raw string) webhook.Record {
		return webhook.Record{Accepted: record.Accepted, Sequence: sequence, Undecodable: []byte(raw)}
	}
	badNumber := strings.Replace(streamInsert("12", "T#Default#3", ""), `{"N":"7"}`, `{"N":"seven"}`, 1)
	badType := strings.Replace(streamInsert("13", "T#Default#3", ""), `{"N":"7"}`, `"seven"`, 1)
	badTenant := streamInsert("14", "T#not a tenant#3", "")
	badPacked := streamInsert("15", "T#Default#3", `,"packed":{"B":"/////w=="}`)
	for name, c := range map[string]struct {
		payload []byte
		want    []webhook.Record
	}{
		"an event":                {batchOf(good), []webhook.Record{record}},
		"packed data is unpacked": {batchOf(streamInsert("11", "T#Default#3", `,"packed":{"B":"q64FAA=="}`)), []webhook.Record{packed}},
		"content":                 {batchOf(streamInsert("11", "T#Default#3", `,"v":{"N":"1"},"skey":{"S":"a#1"},"content":{"S":`+strconv.Quote(stored)+`}`)), []webhook.Record{content}},
		"an event of a newer version has only its tenant and id": {batchOf(good, newerBatch), []webhook.Record{record, newer}},
		"a newer version may have changed an attribute's type":   {batchOf(newerForm, good), []webhook.Record{newer, record}},
		"a marker is left out":                                   {batchOf(streamInsert("10", "K#Default#ab", ""), good), []webhook.Record{record}},
		"a removal is left out":                                  {batchOf(strings.Replace(good, "INSERT", "REMOVE", 1)), []webhook.Record{}},
		"a bad number affects only its record":                   {batchOf(good, badNumber), []webhook.Record{record, undecodable("12", badNumber)}},
		"a bad type affects only its record":                     {batchOf(badType, good), []webhook.Record{undecodable("13", badType), record}},
		"a bad tenant":                                           {batchOf(badTenant), []webhook.Record{undecodable("14", badTenant)}},
		"data that does not unpack":                              {batchOf(badPacked), []webhook.Record{undecodable("15", badPacked)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := dynamo.DecodeStream(c.payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := dynamo.DecodeStream([]byte(`[1]`)); err == nil {
		t.Error("no error for a payload that is not a batch")
	}
}

func BenchmarkDecodeStream(b *testing.B) {
	const n = 100
	records := make([]string, n)
	for i := range records {
		records[i] = streamInsert(fmt.Sprint(i), "T#Default#3", `,"data":{"S":"{\"changes\":\"`+strings.Repeat("name,", 60)+`\"}"}`)
	}
	payload := batchOf(records...)
	perRecord := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/record") }
	b.Run("narrow", func(b *testing.B) {
		for b.Loop() {
			if got, err := dynamo.DecodeStream(payload); err != nil || len(got) != n {
				b.Fatal(err)
			}
		}
		perRecord(b)
	})
	b.Run("events.DynamoDBEvent", func(b *testing.B) {
		for b.Loop() {
			var e events.DynamoDBEvent
			if err := json.Unmarshal(payload, &e); err != nil {
				b.Fatal(err)
			}
		}
		perRecord(b)
	})
}
