package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// options holds the settings of a webhook that SuperOffice's entity lacks. Each
// shows its effective value, set or the deployment's default.
type options struct {
	Policy               webhook.Policy
	TimeoutSeconds       int64
	SecretOverlapSeconds int64
	Format               webhook.Format
	Include              []webhook.Include
	// Filter is null if the webhook has none.
	Filter                   json.RawMessage
	OnlyFields, IgnoreFields []string
	SkipOwn                  []int32
	Fields                   []string
	// Template is null if the webhook has none.
	Template json.RawMessage
}

// optionNames lists the options for a caller who misspelled one.
const optionNames = "Policy, TimeoutSeconds, SecretOverlapSeconds, Format, Include, Filter, OnlyFields, IgnoreFields, SkipOwn, Fields and Template"

func (options) xmlName() string { return "Options" }

func (a *api) showOptions(o webhook.Options) options {
	shown := options{
		a.DefaultPolicy, seconds(webhook.DefaultAttemptTimeout), seconds(webhook.DefaultSecretOverlap), webhook.FormatSuperOffice, listOf(o.Include),
		rawOrNull(o.Filter), listOf(o.OnlyFields), listOf(o.IgnoreFields), listOf(o.SkipOwn), listOf(o.Fields), rawOrNull(o.Template),
	}
	if o.Policy != "" {
		shown.Policy = o.Policy
	}
	if o.Timeout != 0 {
		shown.TimeoutSeconds = seconds(o.Timeout)
	}
	if o.SecretOverlap != nil {
		shown.SecretOverlapSeconds = seconds(*o.SecretOverlap)
	}
	if o.Format != "" {
		shown.Format = o.Format
	}
	return shown
}

func (a *api) getOptions(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	w, err := a.Registry.Get(c.Context(), c.who, id)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return ok(a.showOptions(w.Options)), nil
}

// putOptions replaces the options. Those that are null or missing in the body are
// reset to the deployment's default.
func (a *api) putOptions(c *call) (reply, error) {
	return a.setOptions(c, func(webhook.Options) webhook.Options { return webhook.Options{} })
}

// patchOptions changes the options that the body names.
func (a *api) patchOptions(c *call) (reply, error) {
	return a.setOptions(c, func(o webhook.Options) webhook.Options { return o })
}

func (a *api) setOptions(c *call, from func(webhook.Options) webhook.Options) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	object, err := wire.ReadObject(c.Request, carriers)
	if err != nil {
		return reply{}, err
	}
	if object.IsZero() {
		return reply{}, webhook.Invalid("the body must be an object with options")
	}
	unmodified, err := unmodifiedSince(c)
	if err != nil {
		return reply{}, err
	}
	w, err := a.Registry.SetOptions(c.Context(), c.who, id, func(w webhook.Webhook) (webhook.Options, error) {
		if err := unmodified(w); err != nil {
			return webhook.Options{}, err
		}
		return a.readOptions(object.Members(), from(w.Options), w.RegisteredBy.ID, nil)
	})
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return ok(a.showOptions(w.Options)), nil
}

// readOptions sets the options that an object names. It reports all faults at
// once. An unknown name is a fault too: it may be a misspelled option.
// owner is the AssociateId of who registered the webhook.
// f has the faults that are known already.
//
// A stored filter or template that the setting EVENT_DATA=names would refuse now stays.
func (a *api) readOptions(members []wire.Member, o webhook.Options, owner int32, f webhook.Faults) (webhook.Options, error) {
	var stated webhook.Options
	for _, m := range members {
		v := memberValue(m.Name, m.Value, &f)
		switch strings.ToLower(m.Name) {
		case "policy":
			o.Policy = webhook.Policy(v.word())
		case "timeoutseconds":
			before := len(f)
			o.Timeout = v.seconds()
			if o.Timeout == 0 && !v.isNull() && len(f) == before {
				o.Timeout = -1 // zero was sent, which is invalid and not the default
			}
		case "secretoverlapseconds":
			o.SecretOverlap = nil
			if !v.isNull() {
				overlap := v.seconds()
				o.SecretOverlap = &overlap
			}
		case "format":
			o.Format = webhook.Format(v.word())
		case "include":
			o.Include = nil // if two spellings are sent, the last counts
			for _, name := range v.texts() {
				o.Include = append(o.Include, webhook.ParseInclude(name))
			}
		case "filter":
			o.Filter = v.document()
			stated.Filter = o.Filter
		case "onlyfields":
			o.OnlyFields = v.texts()
		case "ignorefields":
			o.IgnoreFields = v.texts()
		case "fields":
			o.Fields = v.texts()
		case "template":
			o.Template = v.document()
			stated.Template = o.Template
		case "skipown":
			o.SkipOwn = v.associates(owner)
		default:
			f.Add(wire.Shorten(m.Name), "is not an option; the options are "+optionNames)
		}
	}
	var invalid *webhook.ValidationError
	if errors.As(o.Validate(), &invalid) {
		f = append(f, invalid.Faults...)
	}
	if a.OmitFieldValues && errors.As(stated.WithoutValues(), &invalid) {
		f = append(f, invalid.Faults...)
	}
	return o, f.Err()
}

// word reads a case-insensitive string, in lower case. It must not be empty; null
// is "".
func (v value) word() string {
	before := len(*v.faults)
	text := strings.ToLower(v.text())
	if text == "" && !v.isNull() && len(*v.faults) == before {
		v.fault("must not be empty; null sets the default")
	}
	return text
}

// associates reads a list of AssociateIds; true is that of the owner.
func (v value) associates(owner int32) (ids []int32) {
	list := []value{v}
	if v.kind() == wire.KindArray {
		list = v.items("AssociateIds")
	}
	for _, item := range list {
		switch word := strings.ToLower(item.tree.Text()); {
		case item.kind() == wire.KindTrue, word == "true":
			if owner == 0 {
				v.fault("must list AssociateIds: the webhook was registered by AssociateId 0, the system")
				return nil
			}
			ids = append(ids, owner)
		case item.kind() == wire.KindFalse, item.isNull(), word == "false", word == "":
		default:
			ids = append(ids, item.number())
		}
	}
	return ids
}

// document reads a JSON document, also from a string that holds one, since XML and forms
// cannot say everything that JSON can. null and an empty string are nil. Whether it is an
// object is the option's own rule.
func (v value) document() json.RawMessage {
	var text []byte
	switch kind := v.kind(); {
	case kind == wire.KindString:
		text = bytes.TrimSpace([]byte(v.text()))
	case kind != wire.KindNull:
		text = v.tree.JSON()
	}
	if len(text) == 0 {
		return nil
	}
	var compact bytes.Buffer
	if v.tree.Repeated() || json.Compact(&compact, text) != nil {
		v.fault("is not valid JSON")
		return nil
	}
	return compact.Bytes()
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (v value) seconds() time.Duration { return time.Duration(v.number()) * time.Second }
