package delivery

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// MessageKind is what a message requests.
type MessageKind string

// The kinds.
const (
	MessageAttempt MessageKind = "attempt" // make attempt (Round, Attempt) of a delivery
	MessageExpand  MessageKind = "expand"  // match an event again and create its deliveries
	MessageRecord  MessageKind = "record"  // record a success whose row could not be written
	MessageDrain   MessageKind = "drain"   // make the attempts of parked rows of a webhook
)

// Message is work on the delivery queue. The consumer reads everything else from
// the stores.
type Message struct {
	Kind    MessageKind     `json:"kind"`
	Tenant  webhook.Tenant  `json:"tenant"`
	Webhook int32           `json:"webhook,omitempty"`
	Event   webhook.EventID `json:"event,omitempty"`
	Round   int             `json:"round,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	// Hops counts the sends since the last write of a row, so that a bug cannot
	// circulate a message forever.
	Hops int `json:"hops,omitempty"`
	// Replay is the job that started the round or sent the expand message.
	Replay string `json:"replay,omitempty"`
	// Accepted is the change feed's timestamp of an event to expand.
	Accepted time.Time `json:"accepted,omitzero"`
	// From and To are the inclusive bounds of an expand's webhook ids; To 0 means
	// no upper bound.
	From int32 `json:"from,omitempty"`
	To   int32 `json:"to,omitempty"`
	// Missing limits an expand to deliveries that have no row. The event was
	// dispatched before, at least in part.
	Missing bool `json:"missing,omitempty"`
	// Fast is the attempt in the fast lane that was cut short, so that the row which
	// this message leads to shows it.
	Fast *Attempt `json:"fast,omitempty"`
	// Slow says that the message is in the slow lane's queue, where an attempt has the
	// webhook's full timeout.
	Slow bool `json:"slow,omitempty"`
	// Partition is where a drain begins. Limit is the largest number of attempts it
	// makes; 0 means no limit, and 1 is a probe. Width is how many of them it has in
	// flight.
	Partition int `json:"partition,omitempty"`
	Limit     int `json:"limit,omitempty"`
	Width     int `json:"width,omitempty"`
	// Success is the attempt to record.
	Success *Attempt `json:"success,omitempty"`
}

// AttemptMessage requests an attempt of a delivery. replay is the job that
// started the round, or empty.
func AttemptMessage(key Key, round, attempt int, replay string) Message {
	return Message{
		Kind: MessageAttempt, Tenant: key.Tenant, Webhook: key.Webhook, Event: key.Event, Round: round, Attempt: attempt, Replay: replay,
	}
}

// ExpandMessage requests that an event be matched again with every webhook.
// accepted is the change feed's timestamp of the event.
func ExpandMessage(e webhook.Event, accepted time.Time) Message {
	return Message{Kind: MessageExpand, Tenant: e.Tenant, Event: e.ID, Accepted: accepted}
}

// DrainMessage requests that parked rows of a webhook be attempted, up to width at
// once, beginning with a partition.
func DrainMessage(key webhook.Key, partition, width int) Message {
	return Message{Kind: MessageDrain, Tenant: key.Tenant, Webhook: key.ID, Partition: partition, Width: width}
}

// ProbeMessage requests that one parked row of a webhook be attempted, to find out
// whether its target responds again.
func ProbeMessage(key webhook.Key) Message {
	return Message{Kind: MessageDrain, Tenant: key.Tenant, Webhook: key.ID, Limit: 1, Width: 1}
}

// Covers reports whether an expand message makes the delivery to a webhook that
// matches its event: the webhook's id is in the message's range, and a job, which
// knows the event's own time, sends nothing to a webhook activated after it.
// Stores keep activations to the millisecond.
func (m Message) Covers(w webhook.Webhook) bool {
	if w.ID < m.From || m.To != 0 && w.ID > m.To {
		return false
	}
	return m.Replay == "" || !w.ActivatedAt.Truncate(time.Millisecond).After(m.Accepted)
}

// RecordMessage requests that a success of the attempt requested by m be
// recorded.
func RecordMessage(m Message, success Attempt) Message {
	m.Kind, m.Success, m.Attempt = MessageRecord, &success, 0
	return m
}

// Key returns the key of the message's delivery.
func (m Message) Key() Key {
	return Key{Tenant: m.Tenant, Webhook: m.Webhook, Event: m.Event}
}

// Group returns the message's fairness group: its tenant. One tenant's work never waits
// behind another's; a tenant's own webhooks are kept apart by lanes, slots and drains.
// A tenant's replays are a group of their own, so that they do not delay its live
// events.
func (m Message) Group() string {
	if m.Replay != "" {
		return string(m.Tenant) + replayGroup
	}
	return string(m.Tenant)
}

// replayGroup follows the tenant, which has no such character, in the group of replays.
const replayGroup = "#replay"

// ReplayGroup reports whether a group is that of a tenant's replays, and returns the
// tenant of any group.
func ReplayGroup(group string) (tenant string, replays bool) {
	return strings.CutSuffix(group, replayGroup)
}

// EncodeMessage returns the message's form on the queue: one JSON object.
func EncodeMessage(m Message) string {
	text, err := json.Marshal(m)
	if err != nil { // strings, numbers and times always marshal
		panic(err)
	}
	return string(text)
}

// known reports whether this version handles messages of the kind.
func (k MessageKind) known() bool {
	switch k {
	case MessageAttempt, MessageExpand, MessageRecord, MessageDrain:
		return true
	}
	return false
}

// DecodeMessage decodes what EncodeMessage returned and checks that the members
// required by its kind are set. The error wraps webhook.ErrNewer for a kind that this
// version does not know.
func DecodeMessage(text string) (Message, error) {
	var m Message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return Message{}, fmt.Errorf("decode message: %w", err)
	}
	if m.Kind != "" && !m.Kind.known() {
		return Message{}, fmt.Errorf("message of kind %q: %w", m.Kind, webhook.ErrNewer)
	}
	if !m.Tenant.Valid() || m.Kind != MessageDrain && !m.Event.Valid() {
		return Message{}, webhook.Invalid("message has no valid tenant or event")
	}
	switch m.Kind {
	case MessageDrain:
		if m.Webhook == 0 || m.Width < 1 || m.Limit < 0 || m.Partition < 0 || m.Partition >= ParkedPartitions {
			return Message{}, webhook.Invalid("drain message has no webhook, partition or width")
		}
	case MessageAttempt:
		if m.Webhook == 0 || m.Round < 1 || m.Attempt < 1 {
			return Message{}, webhook.Invalid("attempt message has no webhook, round or attempt")
		}
	case MessageRecord:
		if m.Webhook == 0 || m.Round < 1 || m.Success == nil {
			return Message{}, webhook.Invalid("record message has no webhook, round or attempt")
		}
	case MessageExpand:
	default:
		return Message{}, webhook.Invalid("message has no kind")
	}
	return m, nil
}
