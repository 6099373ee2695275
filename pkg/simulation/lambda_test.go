package simulation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The settings of the functions and the queue, as template.yaml has them.
var (
	template      = readTemplate()
	apiTimeout    = template.seconds("ApiFunction", "Timeout")
	streamTimeout = template.seconds("DeliverFunction", "Timeout")
	queueTimeout  = template.seconds("RetryFunction", "Timeout")
	sweepTimeout  = template.seconds("SweepFunction", "Timeout")
	streamBatch   = template.number("DeliverFunction", "BatchSize")
	streamRetries = template.number("DeliverFunction", "MaximumRetryAttempts")
	queueBatch    = template.number("RetryFunction", "BatchSize")
	visibility    = template.seconds("DeliveryQueue", "VisibilityTimeout")
	maxReceives   = template.number("DeliveryQueue", "maxReceiveCount")
)

// resources are the sections of the template, by the name of the resource.
type resources map[string]string

func readTemplate() resources {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		panic(err)
	}
	out := resources{}
	_, body, _ := strings.Cut(string(text), "\nResources:\n")
	sections := regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatchIndex(body, -1)
	for i, at := range sections {
		end := len(body)
		if i+1 < len(sections) {
			end = sections[i+1][0]
		}
		out[body[at[2]:at[3]]] = body[at[0]:end]
	}
	return out
}

func (r resources) number(resource, setting string) int {
	found := regexp.MustCompile(`(?m)^ +`+setting+`: (\d+)`).FindAllStringSubmatch(r[resource], -1)
	if len(found) == 0 {
		panic(fmt.Sprintf("template.yaml has no setting %s of %s", setting, resource))
	}
	for _, other := range found[1:] { // as both queues of RetryFunction have it
		if other[1] != found[0][1] {
			panic(fmt.Sprintf("template.yaml has the settings %s and %s for %s of %s", found[0][1], other[1], setting, resource))
		}
	}
	n, _ := strconv.Atoi(found[0][1])
	return n
}

func (r resources) seconds(resource, setting string) time.Duration {
	return time.Duration(r.number(resource, setting)) * time.Second
}

// functions are the Lambda handlers of a process, as the commands wire them.
func (e *environment) functions(p *process) {
	logger := watch{e.w, p}.logger()
	e.deliver = trigger.Resumed(trigger.Stream(dynamo.DecodeStream, e.engine.Stream, logger), p.now, e.sender.Resume)
	e.retry = trigger.Resumed(trigger.Queue(e.engine.Queue, logger), p.now, e.sender.Resume)
	e.sweep = trigger.Schedule(e.sweeper.Run, logger)
}

// answer is a batch consumer's response as Lambda reads it.
type answer struct {
	Failures []struct {
		Item string `json:"itemIdentifier"`
	} `json:"batchItemFailures"`
}

// invokeHandler invokes a handler and returns the failed items, or an error.
func invokeHandler(ctx context.Context, h lambda.Handler, payload []byte) any {
	out, err := h.Invoke(ctx, payload)
	if err != nil {
		return err
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		return err
	}
	items := []string{}
	for _, f := range a.Failures {
		items = append(items, f.Item)
	}
	return items
}

// fed is a record of the stream: an item as it was put, at a time.
type fed struct {
	event  webhook.Event
	image  map[string]types.AttributeValue
	stored time.Time
	number int
}

// sequence returns the record's sequence number in its shard.
func (f fed) sequence() string { return fmt.Sprintf("%021d", f.number+1) }

// streamPayload returns what Lambda passes to the consumer for a batch.
func streamPayload(batch []fed) []byte {
	type change struct {
		Created  float64        `json:"ApproximateCreationDateTime"`
		Sequence string         `json:"SequenceNumber"`
		Image    map[string]any `json:"NewImage"`
		View     string         `json:"StreamViewType"`
	}
	type record struct {
		Name   string `json:"eventName"`
		Source string `json:"eventSource"`
		Change change `json:"dynamodb"`
	}
	payload := struct{ Records []record }{}
	for _, f := range batch {
		image := map[string]any{}
		for name, v := range f.image {
			image[name] = attribute(v)
		}
		payload.Records = append(payload.Records, record{"INSERT", "aws:dynamodb", change{float64(f.stored.Unix()), f.sequence(), image, "NEW_IMAGE"}})
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return text
}

// attribute returns an attribute in the JSON of streams.
func attribute(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	}
	panic(fmt.Sprintf("an event has an attribute of type %T", v))
}

// queuePayload returns what Lambda passes to the consumer for a batch of messages.
func queuePayload(batch []*message) []byte {
	type attributes struct {
		Receives string `json:"ApproximateReceiveCount"`
	}
	type record struct {
		ID         string     `json:"messageId"`
		Receipt    string     `json:"receiptHandle"`
		Body       string     `json:"body"`
		Attributes attributes `json:"attributes"`
	}
	payload := struct{ Records []record }{}
	for _, m := range batch {
		payload.Records = append(payload.Records, record{m.id, m.receipt, m.body, attributes{strconv.Itoa(m.receives)}})
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return text
}
