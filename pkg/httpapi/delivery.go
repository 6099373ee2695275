package httpapi

import (
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// loggedDelivery is a delivery as the log shows it.
type loggedDelivery struct {
	EventID    webhook.EventID `json:"EventId"`
	Event      string
	Entity     string
	PrimaryKey int32
	Key        textOrNull
	Status     string
	Reason     textOrNull
	Round      int
	Attempts   []attempt
	// AttemptCount also counts attempts that are no longer stored, but not those in
	// the fast lane that were cut short.
	AttemptCount int
	NextAttempt  *time.Time
	Created      time.Time
}

func (loggedDelivery) xmlName() string { return "Delivery" }

// attempt is an attempt as the log shows it.
type attempt struct {
	Round      *int
	Number     int
	At         time.Time
	DurationMs int64
	Lane       textOrNull
	StatusCode int
	Error      textOrNull
	Detail     textOrNull
	Advice     textOrNull
	// ResponseHeaders and Response are null unless the response is stored.
	ResponseHeaders members
	Response        textOrNull
}

// showDelivery returns a delivery with the response of its last attempt, as far as the
// row has it, and with that of its last failure, if given.
func showDelivery(d delivery.Row, response delivery.FailureResponse) loggedDelivery {
	shown := loggedDelivery{
		EventID: d.Event, Event: d.EventName, Entity: d.ShownEntity(), PrimaryKey: d.PrimaryKey, Key: textOrNull(d.EventKey),
		Status: showStatus(d.Status), Reason: textOrNull(d.Reason), Round: d.Round, Attempts: make([]attempt, len(d.Attempts)),
		AttemptCount: d.AttemptCount, NextAttempt: timeOrNull(d.NextAt), Created: d.Created,
	}
	for i, each := range d.Attempts {
		excerpt := ""
		if i == len(d.Attempts)-1 {
			excerpt = d.Response
		}
		if response.Of(each) {
			excerpt = response.Excerpt
		}
		shown.Attempts[i] = showAttempt(each, excerpt)
	}
	return shown
}

func showAttempt(a delivery.Attempt, excerpt string) attempt {
	shown := attempt{
		Number: a.Number, At: a.At, DurationMs: a.Duration.Milliseconds(), Lane: textOrNull(a.Lane), StatusCode: a.StatusCode,
		Error: textOrNull(a.Error), Detail: textOrNull(a.Detail), Advice: textOrNull(a.Advice()),
	}
	if a.Round != 0 {
		shown.Round = &a.Round
	}
	if excerpt == "" {
		return shown
	}
	headers, body := delivery.ReadExcerpt(excerpt)
	shown.Response, shown.ResponseHeaders = textOrNull(body), members{}
	for _, h := range headers {
		shown.ResponseHeaders = shown.ResponseHeaders.with(h.Name, h.Value)
	}
	return shown
}

// with returns the members and one more. The values of a repeated name are joined with
// a comma, as those of a header are.
func (m members) with(name, value string) members {
	for i := range m {
		if m[i].name == name {
			m[i].value += ", " + value
			return m
		}
	}
	return append(m, member{name, value})
}

// showStatus returns a status as the API spells it: "Delivered".
func showStatus(s delivery.Status) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(string(s[:1])) + string(s[1:])
}
