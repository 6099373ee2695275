package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// quitter stops a webhook at the moment at which its target responds with 410, so that
// the stop and the disabling meet.
type quitter struct {
	*user // nil: not in this run
	hook  hook
}

// newQuitter adds one to one run in four. Like newIngestion, it draws nothing from the
// world's random numbers.
func newQuitter(w *world) *quitter {
	q := &quitter{}
	if rnd := rand.New(rand.NewPCG(w.seed, 0x71756974)); w.weather.crowd > 0 || w.weather.hog > 0 || rnd.IntN(4) > 0 {
		return q
	}
	q.user = &user{w: w, name: "quinn", env: &environment{w: w, kind: "api-quinn"}, step: q.stop}
	w.actors = append(w.actors, q.user)
	return q
}

// saw notices a response to a webhook's POST. Callers hold the witness's lock.
func (q *quitter) saw(about hook, answer ledger.Response) {
	if q.user != nil && answer.Status == 410 && q.left == 0 && !q.env.busy {
		q.hook, q.left, q.after = about, 1, time.Now()
		q.who = webhook.Principal{Tenant: about.tenant(), Associate: webhook.Associate{ID: 77, Name: q.name}}
	}
}

func (q *quitter) stop(u *user) {
	id, t := q.hook, &telling{who: u.who, hook: q.hook}
	u.env.telling = t
	u.call(fmt.Sprintf("stop w%d", id), func(ctx context.Context, e *environment) error {
		_, err := e.registry.Save(ctx, t.who, id.id(), func(now webhook.Webhook) (webhook.Draft, error) {
			d := draftOf(now)
			d.State = webhook.StateStopped
			t.draft = &d
			return d, nil
		})
		return err
	}, func(error) {})
}
