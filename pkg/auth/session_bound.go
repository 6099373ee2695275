package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxSessions is the most sessions one credential may have.
const maxSessions = 20

// sessionsOf returns the prefix of the ids of a caller's sessions: the id of the
// credential they were started with. The first credential has no id, and an
// external issuer's tokens all differ: their sessions are grouped by user.
func sessionsOf(who login) string {
	credential := who.credential.ID
	if credential == "" {
		credential = tenancy.KeyHash(kindToken, webhook.NewSecret(string(who.Tenant)+"/"+who.Associate.UserName))[:32]
	}
	return tenancy.SessionPrefix + credential + "-"
}

// endOldest ends all but the newest maxSessions sessions with a prefix. After
// their prefix, ids sort by time. It runs after the new session is stored, so the
// last of several concurrent calls sees all of them.
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
