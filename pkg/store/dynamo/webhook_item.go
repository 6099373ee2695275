package dynamo

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// encodeWebhook returns a webhook's item. Absent and empty lists are kept
// distinct.
func encodeWebhook(w webhook.Webhook) item {
	it := webhookKey(w.Tenant, w.ID)
	it["id"] = number(w.ID)
	it["tenant"] = text(string(w.Tenant))
	it[attrRev] = number(w.Revision)
	it.setText("name", w.Name)
	setTexts(it, "events", w.Events)
	it.setText("target_url", w.TargetURL)
	it.setInt("state", int64(w.State))
	it.setText("type", w.Type)
	it.setHeaders("headers", w.Headers)
	it.setText("properties", string(w.Properties))
	it.setTime("registered", w.Registered)
	it.setAssociate("registered_by", w.RegisteredBy)
	it.setTime("updated", w.Updated)
	it.setAssociate("updated_by", w.UpdatedBy)
	it.setText("errors_email", w.ErrorsEmail)
	setTexts(it, "error_emails", w.ErrorEmails)
	it.setText("error_associates", string(w.ErrorAssociates))
	it.setText("description", w.Description)
	it.setInt("notify_via", int64(w.NotifyVia))
	it.setInt("notify_when", int64(w.NotifyWhen))
	it.setText("app", w.App)
	it.setText("policy", string(w.Options.Policy))
	it.setInt("timeout_ns", int64(w.Options.Timeout))
	it.setText("format", string(w.Options.Format))
	setTexts(it, "include", w.Options.Include)
	it.setText("filter", string(w.Options.Filter))
	setTexts(it, "only_fields", w.Options.OnlyFields)
	setTexts(it, "ignore_fields", w.Options.IgnoreFields)
	it.setNumbers("skip_own", w.Options.SkipOwn)
	setTexts(it, "fields", w.Options.Fields)
	it.setText("template", string(w.Options.Template))
	if w.Options.SecretOverlap != nil {
		it["secret_overlap_ns"] = number(int64(*w.Options.SecretOverlap))
	}
	it.setText("secret_name", w.Secret.Name)
	it.setText("secret_version", w.Secret.Version)
	it.setBool("secret_signed", w.Secret.Signed)
	it.setText("secret_sealed", string(w.Secret.Sealed))
	it.setTime("secret_since", w.SecretSince)
	it.setTime("previous_since", w.PreviousSince)
	it.setInt("rotations", int64(w.Rotations))
	it.setText("rotation_day", w.RotationDay)
	it.setInt("activation", w.Activation)
	it.setTime("activated_at", w.ActivatedAt)
	return it
}

func decodeWebhook(it item) (webhook.Webhook, error) {
	r := reader{item: it}
	w := webhook.Webhook{
		Tenant: webhook.Tenant(r.text("tenant")), ID: r.int32("id"), Revision: r.int64(attrRev),
		Name: r.text("name"), Events: readTexts[string](&r, "events"), TargetURL: r.text("target_url"),
		State: webhook.State(r.int32("state")), Type: r.text("type"),
		Headers: r.headers("headers"), Properties: r.json("properties"),
		Registered: r.time("registered"), RegisteredBy: r.associate("registered_by"),
		Updated: r.time("updated"), UpdatedBy: r.associate("updated_by"),
		ErrorsEmail: r.text("errors_email"), ErrorEmails: readTexts[string](&r, "error_emails"),
		ErrorAssociates: r.json("error_associates"), Description: r.text("description"),
		NotifyVia: r.int32("notify_via"), NotifyWhen: r.int32("notify_when"),
		App: r.text("app"),
		Options: webhook.Options{
			Policy: webhook.Policy(r.text("policy")), Timeout: time.Duration(r.int64("timeout_ns")),
			Format: webhook.Format(r.text("format")), Include: readTexts[webhook.Include](&r, "include"),
			Filter: r.json("filter"), OnlyFields: readTexts[string](&r, "only_fields"), IgnoreFields: readTexts[string](&r, "ignore_fields"),
			SkipOwn: r.numbers("skip_own"), Fields: readTexts[string](&r, "fields"), Template: r.json("template"),
		},
		Secret: webhook.SecretRef{
			Name: r.text("secret_name"), Version: r.text("secret_version"), Signed: r.bool("secret_signed"),
			Sealed: webhook.Sealed(r.text("secret_sealed")),
		},
		SecretSince: r.time("secret_since"), PreviousSince: r.time("previous_since"),
		Rotations: r.int("rotations"), RotationDay: r.text("rotation_day"),
		Activation: r.int64("activation"), ActivatedAt: r.time("activated_at"),
	}
	if _, set := it["secret_overlap_ns"]; set {
		overlap := time.Duration(r.int64("secret_overlap_ns"))
		w.Options.SecretOverlap = &overlap
	}
	if r.err != nil {
		return webhook.Webhook{}, fmt.Errorf("read webhook %d: %w", w.ID, r.err)
	}
	return w, nil
}

func (it item) setBool(name string, b bool) {
	if b {
		it[name] = &types.AttributeValueMemberBOOL{Value: true}
	}
}

func setTexts[S ~string](it item, name string, texts []S) {
	if texts == nil {
		return
	}
	list := make([]types.AttributeValue, len(texts))
	for i, s := range texts {
		list[i] = text(string(s))
	}
	it[name] = &types.AttributeValueMemberL{Value: list}
}

func (it item) setNumbers(name string, numbers []int32) {
	if numbers == nil {
		return
	}
	list := make([]types.AttributeValue, len(numbers))
	for i, n := range numbers {
		list[i] = number(int64(n))
	}
	it[name] = &types.AttributeValueMemberL{Value: list}
}

func (it item) setHeaders(name string, headers []webhook.Header) {
	if headers == nil {
		return
	}
	list := make([]types.AttributeValue, len(headers))
	for i, h := range headers {
		m := item{}
		m.setText("name", h.Name)
		m.setText("value", h.Value)
		m.setBool("secret", h.Secret)
		list[i] = &types.AttributeValueMemberM{Value: m}
	}
	it[name] = &types.AttributeValueMemberL{Value: list}
}

func (it item) setAssociate(name string, a webhook.Associate) {
	m := item{}
	m.setInt("id", int64(a.ID))
	m.setText("name", a.Name)
	m.setText("full_name", a.FullName)
	m.setText("user_name", a.UserName)
	m.setText("type", a.Type)
	if len(m) > 0 {
		it[name] = &types.AttributeValueMemberM{Value: m}
	}
}

func (r *reader) json(name string) json.RawMessage {
	if s := r.text(name); s != "" {
		return json.RawMessage(s)
	}
	return nil
}

func (r *reader) bool(name string) bool {
	switch v := r.item[name].(type) {
	case nil:
		return false
	case *types.AttributeValueMemberBOOL:
		return v.Value
	default:
		r.fail(name, v)
		return false
	}
}

func (r *reader) numbers(name string) []int32 {
	list, ok := r.list(name)
	if !ok {
		return nil
	}
	numbers := make([]int32, len(list))
	for i, v := range list {
		one := reader{item: item{name: v}}
		if numbers[i] = one.int32(name); one.err != nil {
			r.fail(name, v)
			return nil
		}
	}
	return numbers
}

func readTexts[S ~string](r *reader, name string) []S {
	list, ok := r.list(name)
	if !ok {
		return nil
	}
	texts := make([]S, len(list))
	for i, v := range list {
		s, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			r.fail(name, v)
			return nil
		}
		texts[i] = S(s.Value)
	}
	return texts
}

func (r *reader) headers(name string) []webhook.Header {
	list, ok := r.list(name)
	if !ok {
		return nil
	}
	headers := make([]webhook.Header, len(list))
	for i, v := range list {
		h := r.inner(name, v)
		headers[i] = webhook.Header{Name: h.text("name"), Value: h.text("value"), Secret: h.bool("secret")}
		r.take(h)
	}
	return headers
}

func (r *reader) associate(name string) webhook.Associate {
	v, ok := r.item[name]
	if !ok {
		return webhook.Associate{}
	}
	a := r.inner(name, v)
	defer r.take(a)
	return webhook.Associate{
		ID: a.int32("id"), Name: a.text("name"), FullName: a.text("full_name"),
		UserName: a.text("user_name"), Type: a.text("type"),
	}
}

// inner returns a reader of a map within the item; take passes its error on.
func (r *reader) inner(name string, v types.AttributeValue) *reader {
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		r.fail(name, v)
		return &reader{}
	}
	return &reader{item: m.Value}
}

func (r *reader) take(inner *reader) {
	if r.err == nil {
		r.err = inner.err
	}
}
