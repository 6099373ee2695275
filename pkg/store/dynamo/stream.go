package dynamo

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// streamBatch is the form of a batch from the stream. It has only the members
// in use, so that decoding takes a third of the time.
type streamBatch struct {
	Records []streamRecord `json:"Records"`
}

type streamRecord struct {
	EventName string `json:"eventName"`
	Change    struct {
		Created  float64     `json:"ApproximateCreationDateTime"` // seconds
		Sequence string      `json:"SequenceNumber"`
		Image    streamImage `json:"NewImage"`
	} `json:"dynamodb"`
}

type (
	streamText   struct{ S string }
	streamNumber struct{ N string }
	streamBytes  struct{ B []byte }
)

type streamImage struct {
	PK            streamText   `json:"pk"`
	SK            streamText   `json:"sk"`
	Version       streamNumber `json:"v"`
	Name          streamText   `json:"name"`
	Key           streamNumber `json:"key"`
	TextKey       streamText   `json:"skey"`
	Data          streamText   `json:"data"`
	Packed        streamBytes  `json:"packed"`
	Content       streamText   `json:"content"`
	PackedContent streamBytes  `json:"packed_content"`
	By            streamNumber `json:"by"`
	At            streamNumber `json:"at"`
	Hops          streamNumber `json:"hops"`
	App           streamText   `json:"app"`
	Expires       streamNumber `json:"expires_ms"`
}

// DecodeStream decodes the payload that Lambda passes for a batch of the Events
// table's stream. Records that are not new events (markers, removals) are left
// out. A record that is not a valid event is returned as Undecodable with its
// sequence number, and one that a newer version stored as Newer; DecodeStream
// fails only if the payload is not a batch.
func DecodeStream(payload []byte) ([]webhook.Record, error) {
	var batch streamBatch
	if err := json.Unmarshal(payload, &batch); err != nil {
		return decodeSingly(payload)
	}
	records := make([]webhook.Record, 0, len(batch.Records))
	for i := range batch.Records {
		r := &batch.Records[i]
		if !r.isEvent() {
			continue
		}
		e, err := r.Change.Image.event()
		if err != nil && !errors.Is(err, webhook.ErrNewer) {
			return decodeSingly(payload)
		}
		record := r.record(e)
		record.Newer = err != nil
		records = append(records, record)
	}
	return records, nil
}

// decodeSingly decodes, record by record, a batch with an invalid record.
func decodeSingly(payload []byte) ([]webhook.Record, error) {
	var batch struct {
		Records []json.RawMessage `json:"Records"`
	}
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, fmt.Errorf("decode stream batch: %w", err)
	}
	var records []webhook.Record
	for _, raw := range batch.Records {
		var r streamRecord
		err := json.Unmarshal(raw, &r) // it continues after a wrong type
		if err == nil && !r.isEvent() {
			continue
		}
		// A newer version may have changed the type of an attribute, so the
		// version counts before the error does.
		e, eventErr := r.Change.Image.event()
		record := r.record(e)
		switch {
		case errors.Is(eventErr, webhook.ErrNewer):
			record.Newer = true
		case err != nil || eventErr != nil:
			record.Event, record.Undecodable = webhook.Event{}, raw
		}
		records = append(records, record)
	}
	return records, nil
}

// isEvent repeats the filter of the stream mapping.
func (r *streamRecord) isEvent() bool {
	return r.EventName == "INSERT" && !strings.HasPrefix(r.Change.Image.PK.S, "K#")
}

func (r *streamRecord) record(e webhook.Event) webhook.Record {
	return webhook.Record{
		Event: e, Accepted: time.UnixMilli(int64(r.Change.Created * 1000)).UTC(), Sequence: r.Change.Sequence,
	}
}

func (i *streamImage) event() (webhook.Event, error) {
	e := webhook.Event{Name: i.Name.S, Key: i.TextKey.S, App: i.App.S}
	if err := identify(&e, i.PK.S, i.SK.S); err != nil {
		return e, err
	}
	var n numbers
	if err := webhook.CheckSchema(int(n.parse(i.Version.N, 32))); err != nil {
		return webhook.Event{Tenant: e.Tenant, ID: e.ID}, err
	}
	e.PrimaryKey, e.ChangedBy = int32(n.parse(i.Key.N, 32)), int32(n.parse(i.By.N, 32))
	e.Hops = int(n.parse(i.Hops.N, 32))
	if i.At.N != "" {
		e.At = time.Unix(0, n.parse(i.At.N, 64)*tick).UTC()
	}
	if i.Expires.N != "" {
		e.ExpiresAt = time.UnixMilli(n.parse(i.Expires.N, 64)).UTC()
	}
	if n.err != nil {
		return e, n.err
	}
	if i.Data.S != "" {
		e.Data = json.RawMessage(i.Data.S)
	}
	var err error
	if len(i.Packed.B) > 0 {
		if e.Data, err = unpack(i.Packed.B); err != nil {
			return e, err
		}
	}
	content := []byte(i.Content.S)
	if len(i.PackedContent.B) > 0 {
		if content, err = unpack(i.PackedContent.B); err != nil {
			return e, err
		}
	}
	e.Content, err = webhook.DecodeContent(content)
	return e, err
}

// numbers parses numbers and keeps the first error. An absent number is 0.
type numbers struct{ err error }

func (n *numbers) parse(s string, bits int) int64 {
	if s == "" {
		return 0
	}
	v, err := strconv.ParseInt(s, 10, bits)
	if err != nil && n.err == nil {
		n.err = err
	}
	return v
}

var errNoEvent = errors.New("not an event")

// identify sets an event's tenant and id from its key. It fails if either is
// invalid or the event has no name, which every version has.
func identify(e *webhook.Event, pk, sk string) error {
	rest, ok := strings.CutPrefix(pk, "T#")
	tenant, _, cut := strings.Cut(rest, "#")
	e.Tenant, e.ID = webhook.Tenant(tenant), webhook.EventID(sk)
	if !ok || !cut || !e.Tenant.Valid() || !e.ID.Valid() || e.Name == "" {
		return errNoEvent
	}
	return nil
}
