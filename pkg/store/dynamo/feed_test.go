package dynamo_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// feed returns what a table's stream has recorded of a tenant's events so far.
// A response of the streams API has the form of a batch that Lambda passes on.
// Three calls are too few to need a client.
func feed(t *testing.T, table string, tenant webhook.Tenant) []webhook.Record {
	t.Helper()
	var list struct{ Streams []struct{ StreamArn string } }
	streams(t, "ListStreams", map[string]any{"TableName": table}, &list)
	if len(list.Streams) != 1 {
		t.Fatalf("table %s has %d streams", table, len(list.Streams))
	}
	arn := list.Streams[0].StreamArn
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardId string } } //nolint:revive // AWS's spelling
	}
	streams(t, "DescribeStream", map[string]any{"StreamArn": arn}, &stream)
	var records []webhook.Record
	for _, shard := range stream.StreamDescription.Shards {
		var at struct{ ShardIterator string }
		streams(t, "GetShardIterator", map[string]any{"StreamArn": arn, "ShardId": shard.ShardId, "ShardIteratorType": "TRIM_HORIZON"}, &at)
		for at.ShardIterator != "" {
			var page struct{ NextShardIterator string }
			body := streams(t, "GetRecords", map[string]any{"ShardIterator": at.ShardIterator}, &page)
			batch, err := dynamo.DecodeStream(body)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range batch {
				if r.Event.Tenant == tenant {
					records = append(records, r)
				}
			}
			if at.ShardIterator = page.NextShardIterator; bytes.Contains(body, []byte(`"Records":[]`)) {
				break // an open shard has no last page
			}
		}
	}
	return records
}

// streams calls the streams API of DynamoDB Local, which does not check
// signatures.
func streams(t *testing.T, operation string, in, out any) []byte {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, os.Getenv("DYNAMODB_ENDPOINT"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDBStreams_20120810."+operation)
	r.Header.Set("X-Amz-Date", "20260301T120000Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260301/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	payload, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode == http.StatusOK {
		err = json.Unmarshal(payload, out)
	}
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s (%v)", operation, response.StatusCode, payload, err)
	}
	return payload
}
