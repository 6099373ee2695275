package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// shownJob is a redispatch as the API shows it. Examined counts the events it has
// looked at, Enqueued those it has enqueued to be matched again; both rise while
// it runs.
type shownJob struct {
	JobID              string `json:"JobId"`
	Tenant             webhook.Tenant
	Status             job.Status
	Reason             textOrNull
	Examined, Enqueued int
	From, To           time.Time
}

func showJob(j job.Job) shownJob {
	return shownJob{
		JobID: j.ID, Tenant: j.Tenant, Status: j.Status, Reason: textOrNull(j.Reason),
		Examined: j.Examined, Enqueued: j.Processed, From: j.From.UTC(), To: j.To.UTC(),
	}
}

// redispatch starts a job that matches the events of a period again, after a
// fault that lost their stream records.
func (a *api) redispatch(c *call) (reply, error) {
	var tenant string
	var from, to time.Time
	err := readStrictly(c, func(v value) {
		switch strings.ToLower(v.member) {
		case "tenant":
			tenant = v.text()
		case "from":
			from = v.instant()
		case "to":
			to = v.instant()
		}
	}, "Tenant", "From", "To")
	if err != nil {
		return reply{}, err
	}
	j, err := a.Redispatch.Begin(c.Context(), c.who.Associate, webhook.Tenant(tenant), from, to)
	if err != nil {
		return reply{}, tenantNotFound(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "redispatch", tenant: j.Tenant})
	return reply{status: http.StatusAccepted, body: showJob(j)}, nil
}

func (a *api) getRedispatch(c *call) (reply, error) {
	j, err := a.Redispatch.Get(c.Context(), c.PathValue("job"))
	if err != nil {
		return reply{}, jobNotFound(err)
	}
	return ok(showJob(j)), nil
}

// cancelRedispatch cancels a job. A job that has already ended is only shown.
func (a *api) cancelRedispatch(c *call) (reply, error) {
	j, err := a.Redispatch.Cancel(c.Context(), c.PathValue("job"))
	if err != nil {
		return reply{}, jobNotFound(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "cancel redispatch", tenant: j.Tenant})
	return ok(showJob(j)), nil
}

func jobNotFound(err error) error {
	if !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	return explain(err, "Job not found")
}
