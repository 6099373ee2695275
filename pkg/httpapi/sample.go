package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/sample"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sampleResult is the result of a test with a sample of an event: SuperOffice's
// members, then what was sent and what came back.
type sampleResult struct {
	Success         bool
	Message         textOrNull
	TableRight      *tableRight
	FieldProperties *fieldProperties
	// Sample says where the content of the event is from.
	Sample   textOrNull
	Request  *sentRequest // null: nothing was sent
	Response *received
}

func (sampleResult) xmlName() string { return "WebhookResult" }

// Where the content of a sample is from.
const (
	fromCatalog = "catalog" // SuperOffice's documentation
	fromRecent  = "recent"  // the names of the newest event of that name
	fromNowhere = "empty"   // no event of that name was found, so it has no data
)

// sentRequest is a POST that was just made, with secrets and signatures masked.
type sentRequest struct {
	URL        textOrNull `json:"Url"`
	Headers    members
	Body       string
	BodyLength int
	BodySha256 string // in hexadecimal
}

// received is what came of a POST.
type received struct {
	At         time.Time
	DurationMs int64
	StatusCode int // 0 without a response
	Error      textOrNull
	Detail     textOrNull
	Advice     textOrNull
	Headers    members // some of them; null without a response
	Body       textOrNull
}

// testSample sends a sample of an event to the target of a webhook.
func (a *api) testSample(c *call, s stated, name string) (reply, error) {
	if !webhook.MayRaise(name) {
		return reply{}, webhook.Invalid("event must be the name of an event that may be signalled, such as contact.changed")
	}
	event, from, err := a.sampleOf(c, name)
	if err != nil {
		return reply{}, err
	}
	event.ChangedBy = c.who.Associate.ID
	trial, err := a.Registry.TestSample(c.Context(), c.who, s.id, s.draft, event, a.ownHost(c))
	if err != nil {
		return reply{}, err
	}
	r := showResult(trial.Result)
	shown := sampleResult{r.Success, r.Message, r.TableRight, r.FieldProperties, textOrNull(from), nil, showReceived(trial.Result)}
	if trial.Result.Sent.Body != "" {
		sent, err := a.Rebuild(webhook.Post{Webhook: trial.Webhook, Event: trial.Event, Test: true}, trial.Result.Sent, trial.Result.At)
		if err != nil {
			return reply{}, fmt.Errorf("request of a test: %w", err)
		}
		shown.Request = showSent(sent)
	}
	response := c.selected(shown)
	response.large = true
	return response, nil
}

// sampleOf returns the content of a sample: that of the catalog, or else the names in
// the newest event of that name that the caller sees on one page of the log.
func (a *api) sampleOf(c *call, name string) (e webhook.Event, from string, err error) {
	if content, known := sample.Known(name); known {
		return webhook.Event{Name: name, Content: content}, fromCatalog, nil
	}
	sight, err := a.Registry.Sight(c.Context(), c.who, a.OmitFieldValues)
	if err != nil {
		return webhook.Event{}, "", err
	}
	found, err := a.Registry.Events.Search(c.Context(), webhook.EventQuery{
		Tenant: c.who.Tenant, Filter: webhook.EventFilter{Name: name}, Sees: sight.Sees(), Limit: 1,
	})
	if _, err = webhook.Readable(err); err != nil {
		return webhook.Event{}, "", err
	}
	for _, e := range found.Events {
		if carried, seen := sight.Shows(e); seen {
			like := sample.Like(e, carried)
			like.Name = name
			return like, fromRecent, nil
		}
	}
	return webhook.Event{Name: name}, fromNowhere, nil
}

func showSent(r delivery.Request) *sentRequest {
	sum := sha256.Sum256(r.Body)
	return &sentRequest{
		URL: textOrNull(r.URL), Headers: showHeaders(r.Headers), Body: string(r.Body), BodyLength: len(r.Body), BodySha256: hex.EncodeToString(sum[:]),
	}
}

func showReceived(r webhook.Result) *received {
	shown := &received{
		At: r.At.UTC().Truncate(time.Millisecond), DurationMs: r.Duration.Milliseconds(), StatusCode: r.StatusCode,
		Error: textOrNull(r.Error), Detail: textOrNull(r.Detail), Advice: textOrNull(r.Error.Advice(r.Detail)),
	}
	if r.StatusCode == 0 {
		return shown
	}
	headers, body := delivery.ReadExcerpt(r.Excerpt)
	shown.Body, shown.Headers = textOrNull(body), members{}
	for _, h := range headers {
		shown.Headers = shown.Headers.with(h.Name, h.Value)
	}
	return shown
}
