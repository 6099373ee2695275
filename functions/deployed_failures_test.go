package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The emulator repeats a failing batch permanently and never writes to a bucket.
// So the test itself puts the object that Lambda would write when it gives up on a
// batch, for an event that no webhook has received. AWS documents the object under
// failed invocations of a stream; "payload" is the batch.
func TestDeployed_RecordsLambdaGaveUpOnAreDelivered(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	event := d.past("deployed.givenup")
	id := d.create("deployed.givenup", receiver.URL, "s")
	defer d.remove(id)
	batch := d.streamBatch(event)
	now := time.Now().UTC()
	failure, err := json.Marshal(map[string]any{
		"requestContext": map[string]any{
			"requestId": "c9b8fa9f-5a7f-4e0e-af9c-0c604cde93a5", "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:deliver",
			"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 11,
		},
		"responseContext": map[string]any{"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
		"version":         "1.0", "timestamp": now.Format(time.RFC3339Nano),
		"DDBStreamBatchInfo": map[string]any{
			"shardId": "shardId-00000001573689847184-864758bb", "startSequenceNumber": "1", "endSequenceNumber": "1",
			"approximateArrivalOfFirstRecord": now.Format(time.RFC3339), "approximateArrivalOfLastRecord": now.Format(time.RFC3339),
			"batchSize": 1, "streamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/events/stream/2026-03-01T00:00:00.000",
		},
		"payload": string(batch),
	})
	if err != nil {
		t.Fatal(err)
	}
	bucket := aws.String(os.Getenv("FAILURE_BUCKET"))
	key := fmt.Sprintf("aws/lambda/6a1d3f0e/shardId-00000001573689847184-864758bb/%s-%s", now.Format("2006/01/02/2006-01-02T15.04.05"), event)
	if _, err := d.buckets.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(string(failure))}); err != nil {
		t.Fatal(err)
	}
	d.swept(bucket, &key)
	eventually(t, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
}

// streamBatch returns a stored event as the stream delivers it.
func (d *deployment) streamBatch(event webhook.EventID) []byte {
	d.t.Helper()
	key := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: fmt.Sprintf("T#%s#%d", tenant, event.Partition(16))},
		"sk": &types.AttributeValueMemberS{Value: string(event)},
	}
	out, err := d.database.GetItem(d.t.Context(), &dynamodb.GetItemInput{TableName: aws.String(os.Getenv("EVENTS_TABLE")), Key: key})
	if err != nil || len(out.Item) == 0 {
		d.t.Fatalf("event %s: %v", event, err)
	}
	image := func(item map[string]types.AttributeValue) map[string]any {
		shown := map[string]any{}
		for name, value := range item {
			switch v := value.(type) {
			case *types.AttributeValueMemberS:
				shown[name] = map[string]string{"S": v.Value}
			case *types.AttributeValueMemberN:
				shown[name] = map[string]string{"N": v.Value}
			case *types.AttributeValueMemberB:
				shown[name] = map[string][]byte{"B": v.Value}
			default:
				d.t.Fatalf("attribute %s is a %T", name, value)
			}
		}
		return shown
	}
	batch, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
		"dynamodb": map[string]any{
			"ApproximateCreationDateTime": time.Now().Unix(), "SequenceNumber": "1", "StreamViewType": "NEW_IMAGE",
			"Keys": image(key), "NewImage": image(out.Item),
		},
	}}})
	if err != nil {
		d.t.Fatal(err)
	}
	return batch
}
