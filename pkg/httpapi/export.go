package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stored reads a tenant's events and deliveries.
type Stored struct {
	Events interface {
		Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error)
		List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) ([]webhook.Event, error)
	}
	Deliveries interface {
		Get(ctx context.Context, key delivery.Key) (delivery.Row, error)
		List(ctx context.Context, tenant webhook.Tenant, webhook int32, before webhook.EventID, limit int) ([]delivery.Row, error)
		Log(ctx context.Context, q delivery.LogQuery) (delivery.LogPage, error)
		Response(ctx context.Context, key delivery.Key) (delivery.FailureResponse, error)
	}
}

const (
	exportStep  = 100     // items read at a time
	exportBytes = 3 << 20 // of a page, as it is sent; one more item may follow
	exportType  = "application/x-ndjson"
)

// The kinds of lines and cursors of an export, in order.
const (
	exportCredentials = "credentials"
	exportWebhooks    = "webhooks"
	exportDeliveries  = "deliveries" // of a webhook, directly after it
	exportEvents      = "events"
)

// exporter writes the lines of one page.
type exporter struct {
	*api
	ctx    context.Context //nolint:containedctx // lives for one call
	tenant webhook.Tenant
	text   bytes.Buffer
	size   int
}

func (e *exporter) line(kind string, value any) error {
	line, err := wire.EncodeJSON(struct {
		Kind  string
		Value any
	}{kind, value})
	if err != nil {
		return err
	}
	e.size += carriedLen(line) + 2
	e.text.Write(line)
	e.text.WriteByte('\n')
	return nil
}

// unreadable writes a line for items that could not be decoded, and returns any
// other error.
func (e *exporter) unreadable(err error) error {
	found, err := webhook.Readable(err)
	if found == nil {
		return err
	}
	return e.line("Unreadable", struct {
		Count int
		Items []string
	}{found.Count, found.Items})
}

func (e *exporter) full() bool { return e.size >= exportBytes }

// exportTenant returns a page of a tenant's data as lines of JSON, each with Kind
// and Value: credentials, webhooks with their deliveries, events. It omits the
// deliveries of deleted webhooks, the histories of webhooks, and the service's own
// records (sessions, health, idempotency keys, jobs). Secrets are masked even if
// reads show them. The last line has the kind More, with the next page's cursor as
// its value, or End. A line of kind Unreadable reports items that cannot be decoded.
func (a *api) exportTenant(c *call) (reply, error) {
	name := webhook.Tenant(c.PathValue("tenant"))
	record, err := a.Administration.Tenant(c.Context(), name)
	if err != nil {
		return reply{}, tenantNotFound(err)
	}
	masked := *a
	masked.SecretVisible = false
	e := &exporter{api: &masked, ctx: c.Context(), tenant: name}
	cursor := c.query("cursor")
	if cursor == "" {
		cursor = exportCredentials + "/"
		if err := e.line("Tenant", tenant{record.Name, timeOrNull(record.Created), textOrNull(record.Deleting)}); err != nil {
			return reply{}, err
		}
	}
	for cursor != "" && !e.full() {
		if cursor, err = e.step(cursor); err != nil {
			return reply{}, err
		}
	}
	kind, value := "End", any(nil)
	if cursor != "" {
		kind, value = "More", cursor
	}
	if err := e.line(kind, value); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, json: e.text.Bytes(), mediaType: exportType}, nil
}

// step writes lines starting at a cursor and returns the next cursor, "" at the end.
func (e *exporter) step(cursor string) (string, error) {
	what, after, _ := strings.Cut(cursor, "/")
	switch what {
	case exportCredentials:
		return e.credentials(after)
	case exportWebhooks:
		return e.webhooks(after)
	case exportDeliveries:
		id, before, _ := strings.Cut(after, "/")
		return e.deliveries(id, webhook.EventID(before))
	case exportEvents:
		return e.events(webhook.EventID(after))
	}
	return "", errCursor
}

var errCursor = webhook.Invalid("unknown cursor")

func (e *exporter) credentials(after string) (string, error) {
	page, err := e.Administration.Credentials.List(e.ctx, e.tenant, after, exportStep)
	if err = e.unreadable(err); err != nil {
		return "", err
	}
	for _, c := range page {
		if c.Kind == tenancy.KindSession { // and all that follow
			return exportWebhooks + "/0", nil
		}
		if err := e.line("Credential", showCredential(c)); err != nil {
			return "", err
		}
		if after = c.ID; e.full() {
			break
		}
	}
	if len(page) < exportStep && !e.full() {
		return exportWebhooks + "/0", nil
	}
	return exportCredentials + "/" + after, nil
}

// webhooks writes one webhook. Its deliveries follow.
func (e *exporter) webhooks(after string) (string, error) {
	id, err := strconv.ParseInt(after, 10, 32)
	if err != nil {
		return "", errCursor
	}
	page, _, err := e.Registry.Webhooks.List(e.ctx, e.tenant, int32(id), 1)
	if err = e.unreadable(err); err != nil {
		return "", err
	}
	if len(page) == 0 {
		return exportEvents + "/" + string(webhook.FirstEventID(time.Time{})), nil
	}
	shown, err := e.show(e.ctx, e.tenant, page[0])
	if err != nil {
		return "", err
	}
	err = e.line("Webhook", struct {
		entity
		App     textOrNull
		Options options
	}{shown[0], textOrNull(page[0].App), e.showOptions(page[0].Options)})
	return exportDeliveries + "/" + strconv.Itoa(int(page[0].ID)) + "/", err
}

// exportedDelivery is a delivery as an export shows it.
type exportedDelivery struct {
	WebhookID  int32           `json:"WebhookId"`
	EventID    webhook.EventID `json:"EventId"`
	Event      string
	Entity     string
	PrimaryKey int32
	Key        textOrNull
	Status     delivery.Status
	Reason     textOrNull
	Round      int
	Attempts   []exportedAttempt
	// AttemptCount also counts attempts that are no longer stored.
	AttemptCount int
	Response     textOrNull
	Created      time.Time
	Updated      time.Time
}

type exportedAttempt struct {
	Number     int
	At         time.Time
	DurationMs int64
	StatusCode int
	Error      textOrNull
}

func (e *exporter) deliveries(id string, before webhook.EventID) (string, error) {
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil {
		return "", errCursor
	}
	page, err := e.Stored.Deliveries.List(e.ctx, e.tenant, int32(n), before, exportStep)
	if err = e.unreadable(err); err != nil {
		return "", err
	}
	for _, d := range page {
		shown := exportedDelivery{
			WebhookID: d.Webhook, EventID: d.Event, Event: d.EventName, Entity: d.ShownEntity(), PrimaryKey: d.PrimaryKey, Key: textOrNull(d.EventKey), Status: d.Status, Reason: textOrNull(d.Reason),
			Round: d.Round, Attempts: []exportedAttempt{}, AttemptCount: d.AttemptCount, Response: textOrNull(d.Response), Created: d.Created, Updated: d.Updated,
		}
		for _, attempt := range d.Attempts {
			shown.Attempts = append(shown.Attempts, exportedAttempt{
				attempt.Number, attempt.At, attempt.Duration.Milliseconds(), attempt.StatusCode, textOrNull(attempt.Error),
			})
		}
		if err := e.line("Delivery", shown); err != nil {
			return "", err
		}
		if before = d.Event; e.full() {
			break
		}
	}
	if len(page) < exportStep && !e.full() {
		return exportWebhooks + "/" + id, nil
	}
	return exportDeliveries + "/" + id + "/" + string(before), nil
}

// lastEventID sorts after every event id.
const lastEventID webhook.EventID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

func (e *exporter) events(after webhook.EventID) (string, error) {
	if !after.Valid() {
		return "", errCursor
	}
	page, err := e.Stored.Events.List(e.ctx, e.tenant, after, lastEventID, exportStep)
	if err = e.unreadable(err); err != nil {
		return "", err
	}
	last := after
	for _, event := range page {
		if event.ID == after {
			continue // the last one of the previous page
		}
		err := e.line("Event", struct {
			EventID    webhook.EventID `json:"EventId"`
			Event      string
			PrimaryKey int32
			ChangedBy  int32 `json:"ChangedByAssociateId"`
			At         time.Time
			Data       json.RawMessage
		}{event.ID, event.Name, event.PrimaryKey, event.ChangedBy, event.At, rawOrNull(event.Data)})
		if err != nil {
			return "", err
		}
		if last = event.ID; e.full() {
			break
		}
	}
	if len(page) < exportStep && !e.full() {
		return "", nil
	}
	return exportEvents + "/" + string(last), nil
}

func rawOrNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
