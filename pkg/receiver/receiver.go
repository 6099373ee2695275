// Package receiver is the local run's target: it records the POSTs that it gets
// and reports whether their signatures verify, so that a newcomer sees a signed
// delivery within minutes.
//
// It refuses to be more than that: it keeps records only in memory and shows
// them to any caller. It is never deployed.
package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// Path is where the receiver is mounted, sub-paths included.
	Path = "/_receiver"

	maxReceived = 1000
	maxBytes    = 16 << 20 // of all records together
	maxBody     = 1 << 20
	maxDelay    = 30 * time.Second
	tolerance   = 5 * time.Minute
)

// Verdict is the result of checking a signature.
type Verdict string

// The verdicts.
const (
	Valid   Verdict = "valid"
	Invalid Verdict = "invalid"
	Absent  Verdict = "absent"
)

// Received is one recorded POST.
type Received struct {
	At               time.Time
	Path             string // including the query
	Headers          http.Header
	Body             string
	SuperOffice      Verdict
	StandardWebhooks Verdict
}

// Receiver is an http.Handler for Path and all paths below it: POST records,
// GET lists, DELETE clears. Set its fields before use; it may be used
// concurrently.
//
// Two query parameters of a POST simulate failures: status sets the response's
// status (200-599), delay (a duration, at most 30 s) postpones the response.
type Receiver struct {
	// Secrets returns the secrets, including old ones, of the webhooks of all
	// tenants of whose TargetUrl hit reports true.
	Secrets func(ctx context.Context, hit func(target string) bool) []webhook.Secret
	// SeenHost returns a host as resolvers see it. nil means that only case and
	// a final dot are ignored.
	SeenHost func(host string) (string, error)
	Now      func() time.Time

	mu       sync.Mutex
	received []Received
	bytes    int
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != Path && !strings.HasPrefix(req.URL.Path, Path+"/") {
		http.NotFound(w, req)
		return
	}
	switch req.Method {
	case http.MethodPost:
		r.record(w, req)
	case http.MethodGet, http.MethodHead:
		r.list(w)
	case http.MethodDelete:
		r.Empty()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST, DELETE")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// list writes the records one by one: in JSON they can be six times as large.
func (r *Receiver) list(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	separator := `{"Received":[`
	for _, got := range r.All() {
		encoded, err := json.Marshal(got)
		if err != nil {
			continue // unreachable: strings and times always marshal
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return
		}
		_, _ = w.Write(encoded)
		separator = ","
	}
	if separator != "," {
		_, _ = io.WriteString(w, separator)
	}
	_, _ = io.WriteString(w, "]}\n")
}

// All returns the recorded POSTs, newest last; never nil.
func (r *Receiver) All() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Received{}, r.received...)
}

// Empty removes all records.
func (r *Receiver) Empty() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received, r.bytes = nil, 0
}

func (r *Receiver) record(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "body must be complete and at most 1 MiB", status)
		return
	}
	status, delay, ok := scripted(req)
	if !ok {
		http.Error(w, "status must be 200-599, delay must be a duration up to 30s", http.StatusBadRequest)
		return
	}
	got := Received{At: r.Now().UTC(), Path: req.URL.RequestURI(), Headers: req.Header.Clone(), Body: string(body)}
	var secrets []webhook.Secret
	if r.Secrets != nil && signed(req.Header) {
		secrets = r.Secrets(req.Context(), r.leadsTo(req))
	}
	got.SuperOffice, got.StandardWebhooks = verify(req.Header, body, secrets, got.At)
	r.add(got)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
			return
		}
	}
	w.WriteHeader(status)
}

func (r *Receiver) add(got Received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received = append(r.received, got)
	r.bytes += got.size()
	forgotten := 0
	for ; len(r.received)-forgotten > maxReceived || r.bytes > maxBytes; forgotten++ {
		r.bytes -= r.received[forgotten].size()
	}
	if forgotten > 0 {
		r.received = slices.Delete(r.received, 0, forgotten)
	}
}

// size estimates the memory of the record.
func (got Received) size() int {
	n := 256 + len(got.Path) + len(got.Body)
	for name, values := range got.Headers {
		n += 64 + len(name)
		for _, value := range values {
			n += 16 + len(value)
		}
	}
	return n
}

// scripted returns the response that the query asks for. ok is false if one of its
// two parameters is malformed; all others are the target's own.
func scripted(req *http.Request) (status int, delay time.Duration, ok bool) {
	statusText, ok := parameter(req.URL.RawQuery, "status")
	delayText, valid := parameter(req.URL.RawQuery, "delay")
	if !ok || !valid {
		return 0, 0, false
	}
	status = http.StatusOK
	if statusText != "" {
		n, err := strconv.Atoi(statusText)
		if err != nil || n < 200 || n > 599 {
			return 0, 0, false
		}
		status = n
	}
	if delayText != "" {
		d, err := time.ParseDuration(delayText)
		if err != nil || d < 0 || d > maxDelay {
			return 0, 0, false
		}
		delay = d
	}
	return status, delay, true
}

// parameter returns a parameter of a query, "" without one. ok is false if it has
// an invalid escape or two values. url.ParseQuery would drop it then, and also if
// its value contains ";".
func parameter(query, name string) (value string, ok bool) {
	found := false
	for pair := range strings.SplitSeq(query, "&") {
		key, escaped, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		text, err := url.QueryUnescape(escaped)
		if err != nil || found && text != value {
			return "", false
		}
		value, found = text, true
	}
	return value, true
}

const (
	superOfficeHeader = "X-Superoffice-Signature"
	standardHeader    = "Webhook-Signature"
)

func signed(h http.Header) bool { return h.Get(superOfficeHeader) != "" || h.Get(standardHeader) != "" }

// verify tries every secret: several webhooks may share the URL, and during a
// rotation each has two.
func verify(h http.Header, body []byte, secrets []webhook.Secret, now time.Time) (superOffice, standard Verdict) {
	superOffice, standard = Absent, Absent
	one, list := h.Get(superOfficeHeader), h.Get(standardHeader)
	if one != "" {
		superOffice = Invalid
	}
	if list != "" {
		standard = Invalid
	}
	for _, s := range secrets {
		if one != "" && signature.VerifySuperOffice(s.Reveal(), body, one) {
			superOffice = Valid
		}
		if list != "" && signature.VerifyStandard(s.Reveal(), h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), list, body, now, tolerance) == nil {
			standard = Valid
		}
	}
	return superOffice, standard
}
