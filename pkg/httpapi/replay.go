package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// shownReplay is a replay as the API shows it. Examined counts the events or deliveries
// that it has looked at, Created the rounds that it has begun, and Counts what it has
// selected.
type shownReplay struct {
	JobID             string `json:"JobId"`
	Status            job.Status
	Reason            textOrNull
	DryRun            bool
	Only              []replay.Reason
	MaxPerSecond      int
	Examined, Created int
	Counts            []replay.Count
	// RemainingSeconds is an estimate; null: not known yet.
	RemainingSeconds *int64
	From, To         time.Time
	Started          time.Time
}

func (shownReplay) xmlName() string { return "Replay" }

// replayList lists the replays of a webhook, newest first.
type replayList struct{ Replays []shownReplay }

func (replayList) xmlName() string { return "Replays" }

func showReplay(v replay.View) shownReplay {
	j := v.Job
	shown := shownReplay{
		JobID: j.ID, Status: j.Status, Reason: textOrNull(j.Reason), DryRun: v.Plan.DryRun, Only: v.Plan.Only, MaxPerSecond: v.Plan.MaxPerSecond,
		Examined: j.Examined, Created: j.Processed, Counts: append([]replay.Count{}, v.Counts...), From: j.From.UTC(), To: j.To.UTC(), Started: j.Made,
	}
	if v.Remaining >= 0 {
		seconds := int64((v.Remaining + time.Second - 1) / time.Second)
		shown.RemainingSeconds = &seconds
	}
	return shown
}

// beginReplay begins a replay of a webhook's events.
func (a *api) beginReplay(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	if _, err := a.Registry.Get(c.Context(), c.who, id); err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	plan, err := readPlan(c)
	if err != nil {
		return reply{}, err
	}
	v, err := a.Replays.Begin(c.Context(), c.who, id, plan)
	if err != nil {
		return reply{}, notReplayed(err, id)
	}
	if !plan.DryRun {
		a.audit(c.Context(), c, auditedChange{action: "begin replay", tenant: c.who.Tenant, webhook: id})
	}
	return reply{status: http.StatusAccepted, body: showReplay(v)}, nil
}

// readPlan reads the body of a call that begins a replay.
func readPlan(c *call) (p replay.Plan, err error) {
	err = readStrictly(c, func(v value) {
		switch strings.ToLower(v.member) {
		case "from":
			p.From = v.instant()
		case "to":
			p.To = v.instant()
		case "events":
			p.Events = v.texts()
		case "entity":
			p.Entity = v.text()
		case "primarykey":
			if !v.isNull() {
				key := v.number()
				p.PrimaryKey = &key
			}
		case "key":
			p.Key = v.text()
		case "only":
			for _, text := range v.texts() {
				p.Only = append(p.Only, reasonNamed(text))
			}
		case "maxpersecond":
			p.MaxPerSecond = int(v.number())
		case "dryrun":
			p.DryRun = v.boolean()
		}
	}, "From", "To", "Events", "Entity", "PrimaryKey", "Key", "Only", "MaxPerSecond", "DryRun")
	return p, err
}

// reasonNamed returns the reason of this name, case-insensitive; an unknown name as it is.
func reasonNamed(name string) replay.Reason {
	for _, r := range replay.Reasons {
		if strings.EqualFold(name, string(r)) {
			return r
		}
	}
	return replay.Reason(name)
}

func (a *api) listReplays(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	views, err := a.Replays.List(c.Context(), c.who, id)
	if err != nil {
		return reply{}, notReplayed(err, id)
	}
	list := replayList{Replays: []shownReplay{}}
	for _, v := range views {
		list.Replays = append(list.Replays, showReplay(v))
	}
	return ok(list), nil
}

func (a *api) getReplay(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	v, err := a.Replays.Get(c.Context(), c.who, id, strings.ToLower(c.PathValue("job")))
	if err != nil {
		return reply{}, notReplayed(err, id)
	}
	return ok(showReplay(v)), nil
}

// cancelReplay cancels a replay. One that has already ended is only shown.
func (a *api) cancelReplay(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	v, err := a.Replays.Cancel(c.Context(), c.who, id, strings.ToLower(c.PathValue("job")))
	if err != nil {
		return reply{}, notReplayed(err, id)
	}
	a.audit(c.Context(), c, auditedChange{action: "cancel replay", tenant: c.who.Tenant, webhook: id})
	return ok(showReplay(v)), nil
}

// notReplayed explains why there is no replay.
func notReplayed(err error, id int32) error {
	var busy *job.BusyError
	switch {
	case errors.Is(err, replay.ErrNoReplay):
		return explain(err, "Replay not found")
	case errors.As(err, &busy):
		return explain(err, "Webhook %d has a running replay: wait for its end, or cancel it", id)
	case errors.Is(err, webhook.ErrNotFound):
		return webhookNotFound(err, id)
	}
	return notActive(err, id)
}
