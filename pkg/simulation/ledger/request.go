package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is a POST as a target saw it.
type Request struct {
	Line    string // POST /path HTTP/1.1
	Target  string // the URL that leads to it
	Headers []Header
	Body    string
	// Began is when its attempt began, and Arrived when it arrived.
	Began, Arrived time.Time
	// Skew is by how much two processes' clocks may differ.
	Skew time.Duration
}

// Get returns a header by its exact name.
func (r Request) Get(name string) string {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Retry returns the number of earlier attempts that the request claims.
func (r Request) Retry() int {
	n, _ := strconv.Atoi(r.Get("X-SuperOffice-Retry"))
	return n
}

// Faults returns what is wrong with a request: compared with the one of the versions
// that it differs least from, since a request follows one version in everything. At
// least one version must be given. agent is the User-Agent.
func (r Request) Faults(versions []Version, e Event, agent string) []string {
	var least []string
	for i, v := range versions {
		found := r.faults(v, e, agent)
		if len(found) == 0 {
			return nil
		}
		if i == 0 || len(found) < len(least) {
			least = found
		}
	}
	return least
}

func (r Request) faults(v Version, e Event, agent string) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.Target != v.Target {
		add("it goes to %s instead of %s", r.Target, v.Target)
	}
	dated := v.dated()
	at, timestamp := r.timestamp(dated)
	if at.IsZero() && dated != "data" {
		add("its timestamp is %q", timestamp)
	} else if !at.IsZero() && e.Content == nil && (at.Before(e.From.Add(-time.Millisecond-r.Skew)) || at.After(e.Stored.Add(r.Skew))) {
		add("its timestamp is %s, but the event was accepted between %s and %s", timestamp, e.From.UTC(), e.Stored.UTC())
	}
	if want := body(v, e, timestamp); r.Body != want {
		add("its body is %s instead of %s", r.Body, want)
	}
	want := headers(v, e, agent, r)
	for _, h := range r.Headers {
		if i := slices.IndexFunc(want, func(x Header) bool { return x.Name == h.Name }); i < 0 {
			add("it has a header %s", h.Name)
		} else if want[i].Value != unseen && want[i].Value != h.Value {
			add("its header %s is %q instead of %q", h.Name, h.Value, want[i].Value)
		}
	}
	for _, h := range want {
		if !slices.ContainsFunc(r.Headers, func(x Header) bool { return x.Name == h.Name }) {
			add("it has no header %s", h.Name)
		}
	}
	return append(out, r.unsigned(v, e)...)
}

// unseen stands for a value that is checked elsewhere.
const unseen = "\x00"

// headers returns the headers that a request must have, and no others.
func headers(v Version, e Event, agent string, r Request) []Header {
	kind := "application/json; charset=utf-8"
	if v.Format == "cloudevents" {
		kind = "application/cloudevents+json; charset=utf-8"
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(v.Target, "http://"), "/")
	out := []Header{
		{"Host", host},
		{"User-Agent", agent},
		{"Content-Length", strconv.Itoa(len(r.Body))},
		{"Content-Type", kind},
		{"X-SuperOffice-Event", e.Name},
		{"X-SuperOffice-EventId", e.ID},
		{"webhook-id", e.ID},
		{"webhook-timestamp", unseen},
	}
	if r.Retry() > 0 {
		out = append(out, Header{"X-SuperOffice-Retry", strconv.Itoa(r.Retry())})
	}
	if r.Get("X-Posthaste-Replay") != "" {
		out = append(out, Header{"X-Posthaste-Replay", "true"})
	}
	if e.Hops > 0 {
		out = append(out, Header{"X-Posthaste-Hops", strconv.Itoa(e.Hops)})
	}
	if v.Secret != "" {
		out = append(out, Header{"X-SuperOffice-Signature", unseen}, Header{"webhook-signature", unseen})
	}
	return append(out, v.Headers...)
}

// unsigned returns what is wrong with the signatures.
func (r Request) unsigned(v Version, e Event) []string {
	stamp := r.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Unix(seconds+1, 0).Before(r.Began.Add(-r.Skew)) || time.Unix(seconds, 0).After(r.Arrived.Add(r.Skew)) {
		return []string{fmt.Sprintf("its webhook-timestamp is %q, but it was made between %d and %d", stamp, r.Began.Unix(), r.Arrived.Unix())}
	}
	if v.Secret == "" {
		return nil // a signature would be a header too many
	}
	got, list := r.Get("X-SuperOffice-Signature"), r.Get("webhook-signature")
	two := func(first, second string) string {
		return standard(first, e.ID, stamp, r.Body) + " " + standard(second, e.ID, stamp, r.Body)
	}
	var want []Header // the pairs that are allowed
	began, arrived := r.Began.Add(-r.Skew), r.Arrived.Add(r.Skew)
	if v.Previous == "" || !began.Before(v.PreviousUntil) || !arrived.Before(v.PreviousUntil) {
		want = append(want, Header{superOffice(v.Secret, r.Body), standard(v.Secret, e.ID, stamp, r.Body)})
	}
	if v.Previous != "" && began.Before(v.PreviousUntil) {
		want = append(want, Header{superOffice(v.Secret, r.Body), two(v.Secret, v.Previous)}, Header{superOffice(v.Previous, r.Body), two(v.Previous, v.Secret)})
	}
	if slices.Contains(want, Header{got, list}) {
		return nil
	}
	return []string{fmt.Sprintf("its signatures %q and %q are not those of the webhook's secrets", got, list)}
}

// timestamp returns the time in a body, and as it is spelled there.
func (r Request) timestamp(format string) (time.Time, string) {
	name := map[string]string{"standard": "timestamp", "cloudevents": "time", "data": ""}[format]
	if format == "superoffice" {
		name = "Timestamp"
	}
	if name == "" {
		return time.Time{}, ""
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(r.Body), &members) != nil {
		return time.Time{}, ""
	}
	var text string
	if json.Unmarshal(members[name], &text) != nil {
		return time.Time{}, ""
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.UTC().Format("2006-01-02T15:04:05.9999999Z") != text {
		return time.Time{}, text
	}
	return at, text
}
