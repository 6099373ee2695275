package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// agentPath is the path of SuperOffice's Webhook agent, which has one POST per
// operation. Its rules differ from REST's: a missing webhook is null or ignored,
// and input that cannot be read gets the framework's own error.
const agentPath = "/api/v1/Agents/Webhook/"

// unbindableError is an input of the agent that cannot be read as the argument of
// the operation.
type unbindableError struct{ detail string }

func (e *unbindableError) Error() string { return "the request is invalid: " + e.detail }

// unbindable turns an invalid input into the agent's error. Other errors stay.
func unbindable(err error) error {
	var invalid *webhook.ValidationError
	if errors.As(err, &invalid) {
		return &unbindableError{invalid.Error()}
	}
	return err
}

// agentError is the framework's own error.
type agentError struct{ Message, MessageDetail string }

// agentFailed turns an error into the agent's response.
func agentFailed(c *call, err error) reply {
	var unread *unbindableError
	if !errors.As(err, &unread) {
		return failed(c, err)
	}
	c.cause, c.errorType = err, "ArgumentException" // its answer has no type
	return reply{status: http.StatusBadRequest, body: agentError{"The request is invalid.", unread.detail}}
}

func (a *api) agentSave(c *call) (reply, error) {
	_, s, err := agentWebhook(c)
	if err != nil {
		return reply{}, err
	}
	if err := s.check(a.rules(c)); err != nil {
		return reply{}, unbindable(err)
	}
	if s.id == 0 {
		shown, err := a.create(c, s.draft)
		return ok(shown), err
	}
	w, err := a.Registry.Save(c.Context(), c.who, s.id, func(webhook.Webhook) (webhook.Draft, error) { return s.draft, nil }, a.ownHost(c))
	if err != nil {
		return reply{}, webhookNotFound(err, s.id)
	}
	return ok(a.saved(c, w, a.healthIfKnown(c.Context(), w), s.draft)), nil
}

func (a *api) agentDelete(c *call) (reply, error) {
	id, err := queryID(c)
	if err != nil {
		return reply{}, err
	}
	if err := a.Registry.Delete(c.Context(), c.who, id, nil); err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return reply{}, err
	}
	return noContent(nil), nil
}

func (a *api) agentGet(c *call) (reply, error) {
	id, err := queryID(c)
	if err != nil {
		return reply{}, err
	}
	w, err := a.Registry.Get(c.Context(), c.who, id)
	if errors.Is(err, webhook.ErrNotFound) {
		return ok((*entity)(nil)), nil
	}
	if err != nil {
		return reply{}, err
	}
	shown, err := a.show(c.Context(), c.who.Tenant, w)
	if err != nil {
		return reply{}, err
	}
	return c.selected(shown[0]), nil
}

func (a *api) agentList(c *call) (reply, error) {
	args, err := agentArguments(c, "NameFilter", "EventFilter", "StatusFilter")
	if err != nil {
		return reply{}, err
	}
	f := newFilter(args.named("NameFilter").text(), args.named("EventFilter").text(), args.named("StatusFilter").enum(stateNames, false))
	response, err := a.list(c, f, *args.faults)
	if errors.Is(err, errListTooLarge) { // the input was right
		return reply{}, err
	}
	return response, unbindable(err)
}

func (a *api) agentTest(c *call) (reply, error) {
	object, s, err := agentWebhook(c)
	if err != nil {
		return reply{}, err
	}
	if s, err = a.tested(c, object, s); err != nil {
		return reply{}, unbindable(err)
	}
	return a.test(c, s)
}

func (a *api) agentSignal(c *call) (reply, error) {
	args, err := agentArguments(c, "EventName", "PrimaryKey", "Data")
	if err != nil {
		return reply{}, err
	}
	s := webhook.Signal{
		Name: args.named("EventName").text(), PrimaryKey: args.named("PrimaryKey").number(), Data: args.named("Data").object(),
	}
	c.event = s.Name
	if err := args.err(); err != nil {
		return reply{}, err
	}
	if s.Name == "" && len(args.unknown) > 0 {
		args.faults.Add("EventName", "is required")
		args.unknown.fault(args.faults)
		return reply{}, args.faults.Err()
	}
	return a.publish(c, nil, s)
}

func (a *api) agentLastError(c *call) (reply, error) {
	args, err := agentArguments(c, "WebhookId")
	if err != nil {
		return reply{}, err
	}
	id := args.named("WebhookId").number()
	if err := args.err(); err != nil {
		return reply{}, err
	}
	response, err := a.lastErrorOf(c, id)
	if errors.Is(err, webhook.ErrNotFound) {
		return ok(textOrNull("")), nil
	}
	return response, err
}

// queryID reads the webhook's id from the query.
func queryID(c *call) (int32, error) {
	text := c.query("webhookId")
	if text == "" {
		return 0, &unbindableError{"the query parameter webhookId is required"}
	}
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, &unbindableError{"the query parameter webhookId must be a 32-bit integer"}
	}
	return int32(id), nil
}

// agentWebhook reads the webhook that an operation takes: the body itself or its
// member Webhook. object is that webhook as it was sent.
func agentWebhook(c *call) (object wire.Tree, s stated, err error) {
	if object, err = wire.ReadObject(c.Request, carriers); err != nil {
		return wire.Tree{}, stated{}, unbindable(err)
	}
	outer, wrapped := object.Members(), false
	for _, m := range outer {
		if strings.EqualFold(m.Name, "Webhook") {
			object, wrapped = m.Value, true
		}
	}
	if object.Kind() != wire.KindObject {
		return wire.Tree{}, stated{}, &unbindableError{"the body must be a webhook or an object with the member Webhook"}
	}
	if !wrapped {
		return object, c.readMembers(outer, bareOrWrapped), nil
	}
	s = c.readMembers(object.Members(), webhookMembers)
	for _, m := range outer {
		wrapper.check(m.Name, m.Name, &c.ignored, &s.faults)
	}
	return object, s, nil
}

// arguments are the members of an operation's request.
type arguments struct {
	members []wire.Member
	unknown unknownMembers
	faults  *webhook.Faults
}

// agentArguments reads a request that may have these arguments. An empty body is a
// request without arguments.
func agentArguments(c *call, names ...string) (arguments, error) {
	object, err := wire.ReadObject(c.Request, carriers)
	if err != nil {
		return arguments{}, unbindable(err)
	}
	args := arguments{members: object.Members(), faults: &webhook.Faults{}}
	known := newVocabulary("member", append(names, inEveryCarrier...)...)
	for _, m := range args.members {
		if known.check(m.Name, m.Name, &c.ignored, args.faults) {
			args.unknown.add(m.Name)
		}
	}
	return args, nil
}

// named returns an argument by its case-insensitive name; null if it is missing.
func (a arguments) named(name string) value {
	found := memberValue(name, wire.Null, a.faults)
	for _, m := range a.members {
		if strings.EqualFold(m.Name, name) {
			found.tree = m.Value
		}
	}
	return found
}

// err returns the faults of the arguments that were read.
func (a arguments) err() error { return unbindable(a.faults.Err()) }

// agentText describes each operation, for people who open its address in a
// browser.
var agentText = map[string]struct{ does, query, body string }{
	"CreateDefaultWebhook": {"Returns a new webhook with default values. Nothing is stored.", "", ""},
	"SaveWebhook":          {"Creates a webhook if WebhookId is 0, else updates the webhook with that id.", "", "Webhook"},
	"DeleteWebhook":        {"Deletes a webhook. Does nothing if it does not exist.", "webhookId", ""},
	"GetWebhook":           {"Returns a webhook, or null if it does not exist.", "webhookId", ""},
	"GetAllWebhooks":       {"Returns the webhooks that match the filters.", "", "NameFilter, EventFilter, StatusFilter"},
	"TestWebhook":          {"Sends the test event to a webhook's target and returns the result.", "", "Webhook"},
	"SignalEvent":          {"Signals an event to the webhooks that subscribe to it.", "", "EventName, PrimaryKey, Data"},
	"GetLastError":         {"Returns the last error of a webhook's target, or null if there is none.", "", "WebhookId"},
}

// description is the response to a GET of an operation of the agent.
type description struct {
	Operation   string
	Method      string
	Description string
	Query       textOrNull // the query parameters that the operation takes
	Body        textOrNull // the members of its body
}

func (description) xmlName() string { return "Description" }

// describe returns the handler of a GET of an operation of the agent. It describes
// the operation and never runs it.
func describe(operation string) func(*call) (reply, error) {
	text := agentText[operation]
	response := ok(description{operation, http.MethodPost, text.does, textOrNull(text.query), textOrNull(text.body)})
	return func(*call) (reply, error) { return response, nil }
}
