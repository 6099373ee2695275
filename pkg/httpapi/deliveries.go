package httpapi

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const listDeliveriesAction = "GET /api/v1/Webhook/{id}/Deliveries"

// kindDeliveries is the kind of the log's cursors. Their field is the last event id
// that was examined.
const kindDeliveries = "deliveries"

// Sizes of a page of the delivery log.
const (
	defaultLogLimit = 50
	maxLogLimit     = 100
	// logSpare is how many rows are read beyond the limit if there is no filter:
	// enough for a store with partitions to nearly always fill the page.
	logSpare = 96
	// logExamined is how many rows are read to find those that a filter selects.
	logExamined = 1000
)

// deliveryList is a page of a webhook's delivery log.
type deliveryList struct {
	Deliveries []loggedDelivery
	Examined   int
	Cursor     textOrNull
}

func (deliveryList) xmlName() string { return "Deliveries" }

// listDeliveries returns a page of a webhook's delivery log, newest event first, as
// JSON, XML or CSV.
func (a *api) listDeliveries(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	if _, err := a.Registry.Get(c.Context(), c.who, id); err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	csv := c.wantsCSV()
	most, limit := maxLogLimit, defaultLogLimit
	if csv {
		most, limit = maxCSVRows, maxCSVRows
	}
	q, err := c.logQuery(id, limit, most)
	if err != nil {
		return reply{}, err
	}
	if csv {
		return a.deliveriesAsCSV(c, q)
	}
	if q.Examine = logExamined; q.Filter.Zero() {
		q.Examine = q.Limit + logSpare
	}
	page, err := a.readLog(c, q)
	if err != nil {
		return reply{}, err
	}
	list := deliveryList{Deliveries: make([]loggedDelivery, len(page.Deliveries)), Examined: page.Examined, Cursor: c.deliveriesCursor(q, page.Next)}
	for i, d := range page.Deliveries {
		list.Deliveries[i] = showDelivery(d, delivery.FailureResponse{})
	}
	return ok(list), nil
}

// getDelivery returns one delivery with the responses that are stored.
func (a *api) getDelivery(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	if _, err := a.Registry.Get(c.Context(), c.who, id); err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	key := delivery.Key{Tenant: c.who.Tenant, Webhook: id, Event: webhook.EventID(strings.ToLower(c.PathValue("eventId")))}
	row, err := delivery.Row{}, webhook.ErrNotFound
	if key.Event.Valid() {
		row, err = a.Stored.Deliveries.Get(c.Context(), key)
	}
	if errors.Is(err, webhook.ErrNotFound) {
		return reply{}, explain(err, "No delivery of event %s to webhook %d found", wire.Shorten(c.PathValue("eventId")), id)
	}
	if err != nil {
		return reply{}, err
	}
	response, err := a.Stored.Deliveries.Response(c.Context(), key)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return reply{}, err
	}
	return ok(showDelivery(row, response)), nil
}

// readLog reads a page. Rows that cannot be decoded are logged, not shown.
func (a *api) readLog(c *call, q delivery.LogQuery) (delivery.LogPage, error) {
	page, err := a.Stored.Deliveries.Log(c.Context(), q)
	unreadable, err := webhook.Readable(err)
	if unreadable != nil {
		a.Logger.WarnContext(c.Context(), "cannot decode stored rows", "tenant", string(q.Tenant), "webhook_id", q.Webhook, "count", unreadable.Count, "error", unreadable)
	}
	return page, err
}

// deliveriesCursor returns the cursor of the page after an event id, "" at the end.
func (c *call) deliveriesCursor(q delivery.LogQuery, next webhook.EventID) textOrNull {
	if next == "" {
		return ""
	}
	return textOrNull(encodeCursor(kindDeliveries, cursorScope(c.who, q.Webhook), string(next)))
}

// logQuery reads the parameters of the call. limit is the default of that parameter,
// and most its largest value.
func (c *call) logQuery(id int32, limit, most int) (delivery.LogQuery, error) {
	var wrong webhook.Faults
	q := delivery.LogQuery{Tenant: c.who.Tenant, Webhook: id, Limit: limit}
	q.Filter = delivery.Filter{
		Status: oneOf(c, "status", delivery.Statuses, &wrong), Class: oneOf(c, "class", delivery.StatusClasses, &wrong),
		Error: oneOf(c, "error", failure.Kinds, &wrong),
		Event: c.query("event"), Entity: c.query("entity"), Key: c.query("key"),
	}
	if q.Filter.Event != "" && !webhook.ValidEventPattern(q.Filter.Event) {
		wrong.Add("event", "must be the name of an event, such as contact.changed, or a pattern, such as contact.*")
	}
	if text := c.query("primaryKey"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			wrong.Add("primaryKey", "must be an integer of 32 bits")
		}
		key := int32(n)
		q.Filter.PrimaryKey = &key
	}
	if text := c.query("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			wrong.Add("limit", "must be an integer from 1 to %d", most)
		}
		q.Limit = n
	}
	from, to := c.instant("from", &wrong), c.instant("to", &wrong)
	if !from.IsZero() {
		q.First = webhook.FirstEventID(from)
	}
	if !to.IsZero() {
		q.Before = webhook.FirstEventID(to)
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		wrong.Add("from", "must be before to")
	}
	if cursor := c.query("cursor"); cursor != "" {
		fields, err := decodeCursor(kindDeliveries, cursorScope(c.who, id), cursor, 1)
		if err != nil || !webhook.EventID(fields[0]).Valid() {
			return q, errForeignCursor
		}
		if next := webhook.EventID(fields[0]); q.Before == "" || next < q.Before {
			q.Before = next
		}
	}
	return q, wrong.Err()
}

// oneOf reads a query parameter that is one of some words, case-insensitive. It
// returns "" if the parameter is absent or wrong.
func oneOf[T ~string](c *call, name string, words []T, wrong *webhook.Faults) T {
	text := c.query(name)
	if text == "" {
		return ""
	}
	known := make([]string, len(words))
	for i, word := range words {
		if known[i] = string(word); strings.EqualFold(text, known[i]) {
			return word
		}
	}
	wrong.Add(name, "must be one of %s", strings.Join(known, ", "))
	return ""
}

// instant reads a query parameter that is a time, the zero time if it is absent or
// wrong.
func (c *call) instant(name string, wrong *webhook.Faults) time.Time {
	text := c.query(name)
	if text == "" {
		return time.Time{}
	}
	at, is := parseDate(strings.ReplaceAll(text, " ", "+")) // an unescaped + of a zone
	if !is {
		at, is = parseDate(text)
	}
	if !is {
		wrong.Add(name, "must be a time such as 2026-11-24T10:00:00Z")
	}
	return at
}
