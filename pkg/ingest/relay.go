package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// RelayPath begins the addresses of relays: it is the first segment of
// /in/v1/{source}.
const RelayPath = "/in"

const (
	// maxBody is the largest body in bytes, 1 MiB, as for the API.
	maxBody = 1 << 20
	// callsTime bounds everything that a POST needs from stores, together.
	// SuperOffice waits for a response before it tries again after 1 and 5 s.
	callsTime = 3 * time.Second
	// countTime bounds the writing of counts, which delays the response.
	countTime = 500 * time.Millisecond
	// headerHops counts the webhooks that an event came through.
	headerHops = "X-Posthaste-Hops"
)

// mark is UTF-8's byte order mark. JSON is UTF-8 whatever a Content-Type says.
var mark = []byte("\xef\xbb\xbf")

// Relay is the handler of POST /in/v1/{source}.
//
// The response is 200 once the event is durable, and also if the POST verifies
// and can never become an event, which is counted; 503 with Retry-After if the
// stores fail or take more than 3 s together; 401 without a valid signature of
// the source's current or previous secret; 404 for a source that is unknown or
// not a relay. Before these, whatever the source: 405, 413 for a body over 1 MiB,
// and 415 for a Content-Encoding.
//
// A source is used for at most 5 s without being read again, so a revoked secret
// stops verifying within that time. A POST that does not verify reads the source
// once, so a new secret verifies at once, and so does a new source.
//
// All exported fields must be set before use and not changed after. The handler
// may serve any number of calls at a time.
type Relay struct {
	Sources source.Sources
	// Secrets should cache: each POST reads a version.
	Secrets   webhook.Secrets
	Tenants   *Tenants
	Publisher *webhook.Publisher
	Counters  *Counters
	Now       func() time.Time
	Logger    *slog.Logger
	// RequestID returns the id that a call's log line carries; "" for none.
	RequestID func(ctx context.Context) string
	// Fail writes an error in the API's shape.
	Fail func(w http.ResponseWriter, status int, errorType, text string)

	recent relays
}

// result is what became of a call. Of its members only status is always set.
type result struct {
	status int
	routed bool   // the call is a POST to an address of relays
	source string // name of one that exists
	event  webhook.Event
	reason source.Reason // why a POST that verified became no event
	cause  error         // of a 503
}

// ServeHTTP implements http.Handler.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began := r.Now()
	got := r.serve(w, req)
	r.respond(w, got.status)
	r.log(req.Context(), got, r.Now().Sub(began))
}

// serve takes a call as far as its response.
func (r *Relay) serve(w http.ResponseWriter, req *http.Request) result {
	name, ok := sourceName(req.URL.Path)
	if !ok {
		return result{status: http.StatusNotFound}
	}
	if req.Method != http.MethodPost {
		return result{status: http.StatusMethodNotAllowed}
	}
	got := r.post(w, req, name)
	got.routed = true
	return got
}

// post takes a POST as far as its response.
func (r *Relay) post(w http.ResponseWriter, req *http.Request, name string) result {
	if !plain(req.Header) {
		return result{status: http.StatusUnsupportedMediaType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return result{status: http.StatusRequestEntityTooLarge}
	case err != nil:
		return result{status: http.StatusBadRequest}
	}
	ctx, cancel := context.WithTimeout(req.Context(), callsTime)
	defer cancel()
	return r.relay(ctx, name, req.Header, body)
}

// sourceName returns the name in a path /in/v1/{source}, with or without a
// trailing slash.
func sourceName(path string) (name string, ok bool) {
	name, ok = strings.CutPrefix(strings.TrimSuffix(path, "/"), RelayPath+"/v1/")
	return name, ok && name != "" && !strings.Contains(name, "/")
}

// plain reports whether a body is not encoded.
func plain(header http.Header) bool {
	for _, coding := range header["Content-Encoding"] {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return false
		}
	}
	return true
}

// relay verifies a POST and stores its event.
func (r *Relay) relay(ctx context.Context, name string, header http.Header, body []byte) result {
	s, why, err := r.verified(ctx, name, header, body)
	switch {
	case errors.Is(err, errUnknown):
		return result{status: http.StatusNotFound}
	case err != nil:
		return result{status: http.StatusServiceUnavailable, cause: err}
	case why != "":
		r.count(ctx, name, source.Counts{Refused: 1, LastFault: string(why), LastFaultAt: r.Now()})
		return result{status: http.StatusUnauthorized, source: name}
	}
	got, counts, err := r.take(ctx, s, header, body)
	got.source = name
	if err != nil {
		got.status, got.cause = http.StatusServiceUnavailable, err
		r.Counters.Add(name, source.Counts{LastFault: "an event could not be stored", LastFaultAt: r.Now()})
		return got
	}
	got.status = http.StatusOK
	r.count(ctx, name, counts)
	return got
}

// verified returns the source that a POST is for, and why the POST does not
// verify. Errors: errUnknown, and those of the stores.
func (r *Relay) verified(ctx context.Context, name string, header http.Header, body []byte) (source.Source, fault, error) {
	s, fresh, err := r.recent.get(ctx, r.Sources, name, r.Now)
	if err != nil {
		return source.Source{}, "", err
	}
	why, err := r.verify(ctx, s, header, body)
	if fresh || why == "" && err == nil {
		return s, why, err
	}
	newer, readErr := r.recent.read(ctx, r.Sources, name, r.Now)
	if readErr != nil {
		return source.Source{}, "", readErr
	}
	if newer.Revision == s.Revision && newer.Relay.Secret == s.Relay.Secret {
		return s, why, err
	}
	why, err = r.verify(ctx, newer, header, body)
	return newer, why, err
}

func (r *Relay) verify(ctx context.Context, s source.Source, header http.Header, body []byte) (fault, error) {
	secrets, err := webhook.ReadSecret(ctx, r.Secrets, s.Tenant, 0, s.Relay.Secret)
	if err != nil {
		return "", fmt.Errorf("secret of source %s: %w", s.Name, err)
	}
	return verify(s.Relay.Protocol, secrets, header, body, r.Now()), nil
}

// take stores the event that a verified POST becomes, and returns what there is
// to count. An error means that it may not be stored.
func (r *Relay) take(ctx context.Context, s source.Source, header http.Header, body []byte) (result, source.Counts, error) {
	now := r.Now()
	d := source.Delivery{Body: bytes.TrimPrefix(body, mark), Hops: hopsOf(header)}
	if s.Relay.Protocol == source.ProtocolStandard {
		d.ID, d.At = stated(header)
	}
	out := s.FromRelay(d, now, r.Publisher.Life)
	counts := source.Counts{Taken: 1, LastTaken: now}
	skip := func(why source.Reason) (result, source.Counts, error) {
		counts.Skipped = map[source.Reason]int64{why: 1}
		return result{reason: why}, counts, nil
	}
	if out.Skip != "" {
		return skip(out.Skip)
	}
	if accepts, err := r.Tenants.Accepts(ctx, s.Tenant); err != nil {
		return result{}, source.Counts{}, err
	} else if !accepts {
		return skip(source.ReasonTenant)
	}
	taken, err := r.Publisher.Take(ctx, out.Event, out.Once)
	var invalid *webhook.ValidationError
	switch {
	case errors.As(err, &invalid):
		return skip(source.ReasonName)
	case errors.Is(err, webhook.ErrLoop):
		return skip(source.ReasonLoop)
	case err != nil:
		return result{}, source.Counts{}, err
	}
	counts.Made = 1
	if taken.Content.Truncated {
		counts.Truncated = 1
	}
	return result{event: taken}, counts, nil
}

// hopsOf returns how many webhooks an event came through. A number that cannot be
// read counts as too many: taken for 0, it would let a loop run on.
func hopsOf(header http.Header) int {
	switch values := header[headerHops]; {
	case len(values) == 0:
		return 0
	case len(values) > 1:
		return math.MaxUint16
	}
	hops, err := strconv.ParseUint(header[headerHops][0], 10, 16)
	if err != nil {
		return math.MaxUint16
	}
	return int(hops)
}

// count adds counts and writes those that are due, in the time that is left and
// without holding up the response for long.
func (r *Relay) count(ctx context.Context, name string, counts source.Counts) {
	r.Counters.Add(name, counts)
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	r.Counters.Flush(ctx)
}
