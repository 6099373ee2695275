// Package eventbridge puts operational notices as events on an EventBridge bus
// of the user's. docs/operational-events.md describes the events. The package
// refuses to decide what is a notice, when one is passed on, or whether a failed
// call is made again.
package eventbridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Source is the `source` of the events. It begins with source.OwnPrefix, so that
// a bus which also feeds webhooks does not feed these back.
const Source = source.OwnPrefix + "operations"

// Client is the part of *eventbridge.Client that Bus uses.
type Client interface {
	PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, opts ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Bus implements webhook.Notices on an EventBridge bus. Set its fields before use
// and do not change them afterwards. Its methods may be called concurrently.
type Bus struct {
	Client Client
	ARN    string
	// Stack names the deployment in the events.
	Stack string
}

var _ webhook.Notices = (*Bus)(nil)

// Notify implements webhook.Notices with one call. The error wraps
// webhook.ErrUnavailable and holds no more of the service's errors than their
// codes.
func (b *Bus) Notify(ctx context.Context, notices []webhook.Notice) error {
	entries := make([]types.PutEventsRequestEntry, len(notices))
	for i, n := range notices {
		detail, err := encode(n, b.Stack)
		if err != nil {
			return err
		}
		entries[i] = types.PutEventsRequestEntry{
			EventBusName: &b.ARN, Source: aws.String(Source), DetailType: aws.String(string(n.Kind)), Time: aws.Time(n.At), Detail: &detail,
		}
	}
	out, err := b.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err != nil {
		return fmt.Errorf("put operational events: %s: %w", code(err), webhook.ErrUnavailable)
	}
	for _, entry := range out.Entries {
		if c := aws.ToString(entry.ErrorCode); c != "" {
			return fmt.Errorf("put operational events: %d of %d: %s: %w", out.FailedEntryCount, len(entries), c, webhook.ErrUnavailable)
		}
	}
	return nil
}

// code keeps only the error code of the service: its message may quote what was
// sent.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return "no response"
}
