package httpapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// kindStats is the kind of the cursors of the webhooks that fail. Their field is the
// last id that was examined.
const kindStats = "stats"

// stats is what became of a webhook's attempts. Deliveries that wait are not counted
// yet, so the members about them are null.
type stats struct {
	Hours         []statsHour
	Waiting       *int64
	WaitingMore   *bool
	OldestWaiting *time.Time
	Health        statistics.Condition
}

func (stats) xmlName() string { return "Stats" }

// statsHour is an hour. Percentiles are null without attempts, and those of the lag
// without deliveries.
type statsHour struct {
	From                        time.Time
	Delivered, Failed, Attempts int64
	// Suppressed may be low: see statistics.Hour.
	Suppressed         int64
	P50Ms, P95Ms       *int64
	LagP50Ms, LagP95Ms *int64
}

// webhookStats is the statistics of one webhook among others.
type webhookStats struct {
	WebhookID int32 `json:"WebhookId"`
	Name      textOrNull
	stats
}

// statsPage is a page of webhooks with their statistics.
type statsPage struct {
	Webhooks []webhookStats
	Examined int
	Cursor   textOrNull
}

func (statsPage) xmlName() string { return "StatsList" }

// getStats returns the statistics of a webhook.
func (a *api) getStats(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	s, err := a.Statistics.One(c.Context(), c.who, id)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return ok(showStats(s)), nil
}

// listStats returns the statistics of some webhooks, or of a page of those that fail
// now.
func (a *api) listStats(c *call) (reply, error) {
	var wrong webhook.Faults
	ids := c.statsIDs(&wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	page, err := a.readStats(c, ids)
	if err != nil {
		return reply{}, err
	}
	response := ok(page)
	response.large = true
	return response, nil
}

// readStats reads the statistics of webhooks, of those that fail if ids is nil.
func (a *api) readStats(c *call, ids []int32) (statsPage, error) {
	if ids != nil {
		found, err := a.Statistics.Of(c.Context(), c.who, ids)
		return statsPage{Webhooks: showAllStats(found), Examined: len(ids)}, err
	}
	after, scope := int64(0), cursorScope(c.who, 0)
	if cursor := c.query("cursor"); cursor != "" {
		fields, err := decodeCursor(kindStats, scope, cursor, 1)
		if err != nil {
			return statsPage{}, err
		}
		if after, err = strconv.ParseInt(fields[0], 10, 32); err != nil || after < 1 {
			return statsPage{}, errForeignCursor
		}
	}
	failing, examined, next, err := a.Statistics.Failing(c.Context(), c.who, int32(after))
	page := statsPage{Webhooks: showAllStats(failing), Examined: examined}
	if next != 0 {
		page.Cursor = textOrNull(encodeCursor(kindStats, scope, strconv.Itoa(int(next))))
	}
	return page, err
}

// statsIDs reads the parameter ids, without repeated ones; nil if it is not stated.
func (c *call) statsIDs(wrong *webhook.Faults) (ids []int32) {
	text := c.query("ids")
	if text == "" {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(word), 10, 32)
		if err != nil || n < 1 || len(ids) == statistics.MaxStats {
			wrong.Add("ids", "must be at most %d ids of webhooks, separated by commas", statistics.MaxStats)
			return nil
		}
		if !slices.Contains(ids, int32(n)) {
			ids = append(ids, int32(n))
		}
	}
	if c.query("cursor") != "" {
		wrong.Add("cursor", "must not be stated together with ids")
	}
	return ids
}

func showAllStats(list []statistics.Stats) []webhookStats {
	shown := make([]webhookStats, len(list))
	for i, s := range list {
		shown[i] = webhookStats{s.ID, textOrNull(s.Name), showStats(s)}
	}
	return shown
}

func showStats(s statistics.Stats) stats {
	shown := stats{Hours: make([]statsHour, len(s.Hours)), Health: s.Condition}
	for i, h := range s.Hours {
		shown.Hours[i] = statsHour{
			From: h.From, Delivered: h.Delivered, Failed: h.Failed, Attempts: h.Attempts, Suppressed: h.Suppressed,
			P50Ms: percentile(h.Durations, 0.5), P95Ms: percentile(h.Durations, 0.95),
			LagP50Ms: percentile(h.Lags, 0.5), LagP95Ms: percentile(h.Lags, 0.95),
		}
	}
	return shown
}

// percentile returns a percentile in milliseconds, nil if there is none.
func percentile(h statistics.Histogram, share float64) *int64 {
	d, ok := h.Percentile(share)
	if !ok {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}
