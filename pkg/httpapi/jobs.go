package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// anyJob is a job of any kind. What Examined and Processed count depends on the kind.
type anyJob struct {
	JobID               string `json:"JobId"`
	Kind                job.Kind
	Tenant              textOrNull
	Status              job.Status
	Reason              textOrNull
	Examined, Processed int
	Created, Updated    time.Time
}

func showAnyJob(j job.Job) anyJob {
	return anyJob{
		JobID: j.ID, Kind: j.Kind, Tenant: textOrNull(j.Tenant), Status: j.Status, Reason: textOrNull(j.Reason),
		Examined: j.Examined, Processed: j.Processed, Created: j.Made.UTC(), Updated: j.Updated.UTC(),
	}
}

// jobList is the running jobs, the oldest first.
type jobList struct{ Jobs []anyJob }

func (jobList) xmlName() string { return "Jobs" }

// jobsMost is how many jobs a list shows.
const jobsMost = 1_000

// listJobs lists the running jobs. A stored one that cannot be read is left out: the
// sweep reports it.
func (a *api) listJobs(c *call) (reply, error) {
	running, err := a.Jobs.Running(c.Context(), jobsMost)
	if _, err := webhook.Readable(err); err != nil {
		return reply{}, err
	}
	shown := jobList{Jobs: []anyJob{}}
	for _, j := range running {
		shown.Jobs = append(shown.Jobs, showAnyJob(j))
	}
	return ok(shown), nil
}

// getJob shows a job, running or ended.
func (a *api) getJob(c *call) (reply, error) {
	j, err := a.Jobs.Get(c.Context(), c.PathValue("job"))
	if err != nil {
		return reply{}, jobNotFound(err)
	}
	return ok(showAnyJob(j)), nil
}

// cancelJob cancels a job. A job that has already ended is only shown.
func (a *api) cancelJob(c *call) (reply, error) {
	j, err := a.Jobs.Cancel(c.Context(), c.PathValue("job"))
	if errors.Is(err, job.ErrFinal) {
		return reply{}, explain(delivery.ErrRefused, "The deletion of a tenant cannot be cancelled")
	}
	if err != nil {
		return reply{}, jobNotFound(err)
	}
	a.audit(c.Context(), c, auditedChange{action: "cancel job", tenant: j.Tenant})
	return ok(showAnyJob(j)), nil
}

// begun is the response to a call that begins a job.
type begun struct {
	JobID string `json:"JobId"`
}

// moveSecrets starts a job that moves the secrets of webhooks and sources from one store
// to the other.
func (a *api) moveSecrets(c *call) (reply, error) {
	var to, tenant string
	err := readStrictly(c, func(v value) {
		switch strings.ToLower(v.member) {
		case "to":
			to = v.text()
		case "tenant":
			tenant = v.text()
		}
	}, "To", "Tenant")
	if err != nil {
		return reply{}, err
	}
	if a.Custody == nil {
		return reply{}, errOneStore
	}
	j, err := a.Custody.Move(c.Context(), c.who.Associate, custody.Store(to), webhook.Tenant(tenant))
	return a.custodyBegun(c, "move secrets", j, tenantNotFound(err))
}

// rotateRoot starts a job that adds a root key and seals all sealed secrets under it.
func (a *api) rotateRoot(c *call) (reply, error) {
	if a.Custody == nil {
		return reply{}, errOneStore
	}
	j, err := a.Custody.Rotate(c.Context(), c.who.Associate)
	return a.custodyBegun(c, "rotate secret root", j, err)
}

var errOneStore = explain(delivery.ErrRefused, "The local run has one store of secrets: there is nothing to move, and its key (secrets.key) is not rotated")

func (a *api) custodyBegun(c *call, action string, j job.Job, err error) (reply, error) {
	var busy *custody.BusyError
	if errors.As(err, &busy) {
		return reply{}, explain(delivery.ErrRefused, "%s", busy.Error())
	}
	if err != nil {
		return reply{}, err
	}
	a.audit(c.Context(), c, auditedChange{action: action, tenant: j.Tenant})
	return reply{status: http.StatusAccepted, body: begun{j.ID}}, nil
}
