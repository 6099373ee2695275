package simulation_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// api is the part of the API of SQS that the processes use, on the simulated queue.
type api struct{ *queue }

// SendMessageBatch stores messages sent by a process.
func (q api) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (out *sqs.SendMessageBatchOutput, err error) {
	entries := slices.Clone(in.Entries)
	messages := map[string]delivery.Outgoing{}
	text := func(e types.SendMessageBatchRequestEntry) string { return q.w.witness.says(messages[*e.Id].Message) }
	for _, e := range entries {
		m, err := delivery.DecodeMessage(*e.MessageBody)
		if err != nil {
			q.w.violated("queue", "a message is sent that cannot be read: %s", *e.MessageBody)
		}
		messages[*e.Id] = delivery.Outgoing{Message: m, Delay: time.Duration(e.DelaySeconds) * time.Second}
		if group := string(m.Tenant); strings.TrimSuffix(*e.MessageGroupId, "#replay") != group {
			q.w.violated("queue", "%s is sent in the group %s", text(e), *e.MessageGroupId)
		}
		if m.Slow != (*in.QueueUrl == "slow") {
			q.w.violated("lanes", "%s is sent to the queue %s", text(e), *in.QueueUrl)
		}
	}
	if len(entries) == 0 || len(entries) > 10 || len(messages) < len(entries) || slices.ContainsFunc(entries, func(e types.SendMessageBatchRequestEntry) bool { return e.DelaySeconds < 0 || e.DelaySeconds > 900 }) {
		return nil, fmt.Errorf("InvalidParameterValue: %d entries", len(entries))
	}
	slices.SortStableFunc(entries, func(a, b types.SendMessageBatchRequestEntry) int { return cmp.Compare(text(a), text(b)) })
	label := "send"
	for _, e := range entries {
		label += " " + text(e)
		if e.DelaySeconds > 0 {
			label += fmt.Sprintf(" in %ds", e.DelaySeconds)
		}
	}
	p := processOf(ctx)
	if p != nil && strings.HasPrefix(p.name, "sweep") {
		for _, e := range entries {
			if m := messages[*e.Id].Message; m.Kind == delivery.MessageAttempt {
				q.w.witness.sweeps(p, m)
			}
		}
	}
	stored := map[string]bool{}
	err = q.w.effect(ctx, kindSend, "", label, unavailable, func(v verdict) error {
		for _, e := range entries {
			q.w.witness.sent(p, messages[*e.Id])
		}
		q.w.mu.Lock()
		defer q.w.mu.Unlock()
		out = &sqs.SendMessageBatchOutput{}
		for n, e := range entries {
			if v == partial && q.w.luck("partial", label, time.Since(q.w.began).String())(n) < 0.6 {
				out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
				continue
			}
			stored[*e.Id] = true
			out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
			q.put(*e.MessageGroupId, *e.MessageBody, time.Duration(e.DelaySeconds)*time.Second)
		}
		return nil
	})
	for _, e := range entries {
		if err != nil || !stored[*e.Id] {
			q.w.witness.refused(messages[*e.Id].Message.Key())
		}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ChangeMessageVisibility changes when a received message becomes visible.
func (q api) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	received := func(do func(*message)) {
		q.w.mu.Lock()
		defer q.w.mu.Unlock()
		for _, m := range q.waiting {
			if m.receipt == *in.ReceiptHandle {
				do(m)
			}
		}
	}
	received(func(m *message) { m.moved = true })
	if in.VisibilityTimeout <= 0 {
		q.w.violated("work", "%s is put off by nothing, and will be received at once", *in.ReceiptHandle)
	}
	err := q.w.effect(ctx, kindQueue, "", fmt.Sprintf("postpone %s by %ds", *in.ReceiptHandle, in.VisibilityTimeout), unavailable, func(verdict) error {
		received(func(m *message) { m.visible = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second) })
		return nil
	})
	return &sqs.ChangeMessageVisibilityOutput{}, err
}

// ReceiveMessage receives dead letters; the delivery queue is received by its
// mapping.
func (q api) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (out *sqs.ReceiveMessageOutput, err error) {
	out = &sqs.ReceiveMessageOutput{}
	err = q.w.effect(ctx, kindQueue, "", "receive dead letters", unavailable, func(verdict) error {
		q.w.mu.Lock()
		defer q.w.mu.Unlock()
		now := time.Now()
		for _, m := range q.dead {
			if len(out.Messages) == int(in.MaxNumberOfMessages) || m.visible.After(now) {
				continue
			}
			m.receives++
			m.receipt, m.visible = q.draw("r"), now.Add(time.Duration(in.VisibilityTimeout)*time.Second)
			out.Messages = append(out.Messages, types.Message{
				MessageId: aws.String(m.id), ReceiptHandle: aws.String(m.receipt), Body: aws.String(m.body),
				Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.receives)},
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteMessage removes a dead letter.
func (q api) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	err := q.w.effect(ctx, kindQueue, "", "remove dead letter "+*in.ReceiptHandle, unavailable, func(verdict) error {
		q.w.mu.Lock()
		defer q.w.mu.Unlock()
		q.dead = slices.DeleteFunc(q.dead, func(m *message) bool { return m.receipt == *in.ReceiptHandle })
		return nil
	})
	return &sqs.DeleteMessageOutput{}, err
}

// SendMessage stores a dead letter, within the limits of SQS.
func (q api) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if body := *in.MessageBody; len(body) > 1<<20 || strings.ContainsAny(body, "\x00\x01\uFFFE\uFFFF") {
		return nil, fmt.Errorf("InvalidParameterValue: %d bytes, or a character that is not allowed", len(body))
	}
	err := q.w.effect(ctx, kindSend, "", "bury "+strconv.Itoa(len(*in.MessageBody))+" bytes", unavailable, func(verdict) error {
		q.w.mu.Lock()
		defer q.w.mu.Unlock()
		q.w.aliens.buried = append(q.w.aliens.buried, *in.MessageBody)
		q.dead = append(q.dead, &message{id: q.draw("m"), body: (*in.MessageBody)[:min(len(*in.MessageBody), 100)], visible: time.Now()})
		return nil
	})
	return &sqs.SendMessageOutput{}, err
}

// readable reports whether a message is one of the product's: others stay in the
// dead-letter queue, for an operator.
func (m *message) readable() bool {
	_, err := delivery.DecodeMessage(m.body)
	return err == nil
}
