package httpapi

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// history is a page of the revisions of a webhook that changes replaced, newest
// first.
type history struct {
	History []replaced
	Cursor  textOrNull
}

func (history) xmlName() string { return "History" }

// replaced is a webhook as it was from At until a change replaced it.
type replaced struct {
	Revision  int64
	At, Until time.Time
	// Action, By and Changed are those of the change.
	Action  webhook.Action
	By      changer
	Changed []string
	// Partial: members of Webhook that are null may be not kept.
	Partial bool
	Webhook entity
	Options options
}

// changer is who changed a webhook. The service has the id 0.
type changer struct {
	AssociateID int32 `json:"AssociateId"`
	Name        textOrNull
	UserName    textOrNull
	App         textOrNull
}

const (
	historyPage = 25
	historyMost = 100
	// historyBytes ends a page: webhooks may be large.
	historyBytes = 2 << 20
)

// getHistory returns a page of a webhook's history. A deleted webhook has one too.
func (a *api) getHistory(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	var wrong webhook.Faults
	limit := c.limit(historyPage, historyMost, &wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	before, scope := int64(0), cursorScope(c.who, id)
	if cursor := c.query("cursor"); cursor != "" {
		fields, err := decodeCursor("history", scope, cursor, 1)
		if err != nil {
			return reply{}, err
		}
		if before, err = strconv.ParseInt(fields[0], 10, 64); err != nil || before < 1 {
			return reply{}, errForeignCursor
		}
	}
	page, err := a.Registry.History(c.Context(), c.who, id, before, limit)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	shown, size := history{History: []replaced{}}, 0
	for i, r := range page {
		entry := a.showReplaced(r)
		shown.History = append(shown.History, entry)
		if size += entry.Webhook.size(); size >= historyBytes && i < len(page)-1 || i == limit-1 {
			shown.Cursor = textOrNull(encodeCursor("history", scope, strconv.FormatInt(r.Webhook.Revision, 10)))
			break
		}
	}
	response := ok(shown)
	response.large = true
	return response, nil
}

// showReplaced shows a replaced webhook. Its secrets are always masked.
func (a *api) showReplaced(r webhook.Replaced) replaced {
	w := r.Webhook
	shown := replaced{
		Revision: w.Revision, At: w.Updated, Until: r.At, Action: r.Action, By: showChanger(r.Change), Changed: append([]string{}, r.Members...),
		Partial: r.Partial, Webhook: showWebhook(w, webhook.Health{}, clearTexts{}), Options: a.showOptions(w.Options),
	}
	if r.Partial {
		keptMembers(r.Members).apply(reflect.ValueOf(&shown.Webhook).Elem())
	}
	return shown
}

// keptMembers selects the members of a webhook that is kept in part.
func keptMembers(changed []string) *selection {
	always := []string{"State", "Secret", "Registered", "RegisteredAssociate", "Updated", "UpdatedAssociate"}
	return parseSelection(strings.Join(append(always, changed...), ","))
}

// showChanger shows who made a change.
func showChanger(c webhook.Change) changer {
	if c.By == (webhook.Associate{}) && c.App == "" {
		return changer{Name: "Posthaste"}
	}
	return changer{c.By.ID, textOrNull(c.By.Name), textOrNull(c.By.UserName), textOrNull(c.App)}
}
