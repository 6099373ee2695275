package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// by returns the change that a principal makes at now.
func (r *Registry) by(who Principal, action Action, now time.Time) Change {
	c := Change{Action: action, At: now, By: who.Associate, App: who.App}
	if r.HistoryLife > 0 {
		c.ExpiresAt = now.Add(r.HistoryLife)
	}
	return c
}

// History returns up to limit of the revisions of a webhook that changes replaced,
// newest first, with revisions less than before (0: starting with the newest). A
// short list means that there are no more. A deleted webhook has a history for those
// who saw it when it was deleted. Errors: ErrNotFound unless the principal sees the
// webhook, or saw it.
func (r *Registry) History(ctx context.Context, who Principal, id int32, before int64, limit int) ([]Replaced, error) {
	_, err := r.Get(ctx, who, id)
	if errors.Is(err, ErrNotFound) {
		err = r.sawDeleted(ctx, who, id, err)
	}
	if err != nil {
		return nil, err
	}
	page, err := r.Webhooks.History(ctx, who.Tenant, id, before, limit)
	if err != nil {
		return page, fmt.Errorf("history of webhook %d: %w", id, err)
	}
	return page, nil
}

// sawDeleted returns nil if the webhook is deleted and the principal saw it, else
// absent or why the history cannot be read.
func (r *Registry) sawDeleted(ctx context.Context, who Principal, id int32, absent error) error {
	last, err := r.Webhooks.History(ctx, who.Tenant, id, 0, 1)
	if _, err = Readable(err); err != nil {
		return fmt.Errorf("history of webhook %d: %w", id, err)
	}
	if len(last) == 0 || last[0].Action != ActionDeleted || !who.Sees(last[0].Webhook) {
		return absent
	}
	return nil
}

// At returns a stored webhook, and the webhook as it was at a revision. If that
// revision is not kept any more, known is false and the webhook is the stored one.
// Errors: as for Get.
func (r *Registry) At(ctx context.Context, who Principal, id int32, revision int64) (stored, then Webhook, known bool, err error) {
	stored, err = r.Get(ctx, who, id)
	if err != nil || stored.Revision <= revision {
		return stored, stored, stored.Revision == revision, err
	}
	read := func(before int64, limit int) ([]Replaced, error) {
		page, err := r.Webhooks.History(ctx, who.Tenant, id, before, limit)
		if _, err = Readable(err); err != nil {
			return nil, fmt.Errorf("history of webhook %d: %w", id, err)
		}
		return page, nil
	}
	page, err := read(revision+1, 1)
	if len(page) > 0 && page[0].Partial { // its successors have the rest
		page, err = read(stored.Revision, HistoryLength)
	}
	if err != nil {
		return Webhook{}, Webhook{}, false, err
	}
	if then, known = wholeAt(page, revision, stored); !known {
		then = stored
	}
	return stored, then, known, nil
}

// wholeAt returns a webhook at a revision that a page of its history contains, if
// that is whole or the page also contains its successors, up to the stored webhook.
func wholeAt(page []Replaced, revision int64, stored Webhook) (w Webhook, known bool) {
	w = stored
	for _, replaced := range page {
		if replaced.Partial && replaced.Webhook.Revision != w.Revision-1 {
			return Webhook{}, false
		}
		if w = replaced.Whole(w); w.Revision <= revision {
			break
		}
	}
	return w, w.Revision == revision
}
