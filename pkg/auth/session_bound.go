package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxSessions is how many sessions of one credential there may be.
const maxSessions = 20

// sessionsOf returns what the ids of a caller's sessions begin with: the id of the
// credential that they were begun with. The first credential has none, and of a
// token from elsewhere no two are the same: those go by their user.
func sessionsOf(who login) string {
	credential := who.id
	if credential == "" {
		credential = tenancy.KeyHash(kindToken, webhook.NewSecret(string(who.Tenant)+"/"+who.Associate.UserName))[:32]
	}
	return tenancy.SessionPrefix + credential + "-"
}

// endOldest ends the oldest sessions that begin with a prefix, so that the
// newest maxSessions stay. Ids are in the order of time behind their prefix. It
// runs after the new session is stored: of calls at the same time the last one
// sees all.
func (a *Authenticator) endOldest(ctx context.Context, tenant webhook.Tenant, prefix string) error {
	var live []string
	for after, more := prefix, true; more; {
		page, err := a.Credentials.List(ctx, tenant, after, maxSessions+1)
		if err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		more = len(page) > maxSessions
		for _, c := range page {
			if after = c.ID; !strings.HasPrefix(c.ID, prefix) {
				more = false
				break
			}
			live = append(live, c.ID)
		}
	}
	for _, id := range live[:max(0, len(live)-maxSessions)] {
		if err := a.Credentials.Revoke(ctx, tenant, id); err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return fmt.Errorf("end an old session: %w", err)
		}
	}
	return nil
}
