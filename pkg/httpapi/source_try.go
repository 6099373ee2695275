package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sourceOutcome is what a sample record becomes: an event, or the reason why it
// is skipped.
type sourceOutcome struct {
	Event *sampleEvent `json:",omitempty"`
	// ID is null if the event gets its id when it is accepted.
	ID *textOrNull `json:"Id,omitempty"`
	// Once reports that a repeated record is recognized by a marker, not by the id.
	Once    *bool         `json:",omitempty"`
	Skip    source.Reason `json:",omitempty"`
	Text    string        `json:",omitempty"`
	Missing []string
}

// sampleEvent is an event in our own JSON, with its tenant. Absent members are
// left out.
type sampleEvent struct {
	Tenant               webhook.Tenant
	Event                string
	PrimaryKey           int32
	Key                  string `json:",omitempty"`
	Entity               string
	Changes              []string        `json:",omitzero"`
	FieldValues          json.RawMessage `json:",omitzero"`
	Values               json.RawMessage `json:",omitzero"`
	Previous             json.RawMessage `json:",omitzero"`
	ChangedByAssociateID int32           `json:"ChangedByAssociateId"`
	Timestamp            time.Time
	Context              string `json:",omitempty"`
	Source               string `json:",omitempty"`
	SourceEvent          string `json:",omitempty"`
	Sequence             string `json:",omitempty"`
}

// testSource shows what a sample record becomes. It stores and counts nothing.
func (a *api) testSource(c *call) (reply, error) {
	sample, err := readSample(c)
	if err != nil {
		return reply{}, err
	}
	out, err := a.Sources.Try(c.Context(), c.PathValue("name"), sample)
	if err != nil {
		return reply{}, sourceNotFound(err)
	}
	return jsonReply(http.StatusOK, nil, newSourceOutcome(out))
}

func newSourceOutcome(out source.Outcome) sourceOutcome {
	shown := sourceOutcome{Skip: out.Skip, Text: out.Skip.Text(), Missing: listOf(out.Missing)}
	if out.Skip == "" {
		e, id, once := out.Event, textOrNull(out.Event.ID), out.Once.Key != ""
		shown.ID, shown.Once = &id, &once
		shown.Event = &sampleEvent{
			Tenant: e.Tenant, Event: e.Name, PrimaryKey: e.PrimaryKey, Key: e.Key, Entity: e.Entity(), ChangedByAssociateID: e.ChangedBy,
			Changes: e.Content.Changes, FieldValues: e.Content.FieldValues, Values: e.Content.Values, Previous: e.Content.Previous,
			Timestamp: e.At.UTC(), Context: e.Content.Context,
			Source: e.Content.Source, SourceEvent: e.Content.SourceEvent, Sequence: e.Content.Sequence,
		}
	}
	return shown
}

// readSample reads {"Record": …, "Headers": {…}}. Headers are those that a relay
// reads besides the signature; others are ignored.
func readSample(c *call) (source.Delivery, error) {
	body, err := readJSONObject(c)
	if err != nil {
		return source.Delivery{}, err
	}
	var d source.Delivery
	var f webhook.Faults
	number := func(name, text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			f.Add("Headers."+name, "must be an integer")
		}
		return n
	}
	readNamed(memberValue("", body, &f), []namedMember{
		{"Record", func(v value) { d.Body = v.object() }},
		{"Headers", func(v value) {
			for name, text := range v.textMap() {
				switch strings.ToLower(name) {
				case "webhook-id":
					d.ID = text
				case "webhook-timestamp":
					d.At = time.Unix(number(name, text), 0).UTC()
				case "x-posthaste-hops":
					d.Hops = int(number(name, text))
				}
			}
		}},
	})
	if d.Body == nil && len(f) == 0 {
		f.Add("Record", "is required: a JSON object")
	}
	return d, f.Err()
}
