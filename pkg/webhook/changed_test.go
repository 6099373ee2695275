package webhook_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// changes records what each committed write of a registry changes.
func (r *registry) changes() *[][]string {
	var all [][]string
	r.Audit = func(_ context.Context, _ string, _ webhook.Key, changed []string) { all = append(all, changed) }
	return &all
}

func TestRegistry_AuditNamesWhatChanged(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	heard := r.changes()
	w := r.create(t, secret("s"))

	r.mustSave(t, w.ID)
	r.mustSave(t, w.ID, func(d *webhook.Draft) { d.Name, d.TargetURL = "renamed", "https://example.com/moved" })
	r.mustSave(t, w.ID, func(d *webhook.Draft) { d.Name, d.TargetURL = "renamed", "https://example.com/moved" })
	r.mustSave(t, w.ID, secret("s")) // the stored secret again, and the old name and target
	r.mustSave(t, w.ID, secret("another"))
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil {
		t.Fatal(err)
	}
	r.mustSave(t, w.ID, header("X-Token", "1"))
	r.mustSave(t, w.ID, header("X-Token", "2")) // only the secret store knows
	r.mustSave(t, w.ID, header("X-Token", webhook.MaskedSecret))
	r.mustSave(t, w.ID, secret(""), header("X-Plain", "1"))
	_, err := r.SetOptions(t.Context(), anna, w.ID, func(webhook.Webhook) (webhook.Options, error) {
		return webhook.Options{Timeout: time.Second, Policy: webhook.PolicySuperOffice}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		nil, nil,
		{"Name", "TargetUrl"},
		nil,
		{"Name", "TargetUrl"},
		{"Secret"},
		{"PreviousSecret"},
		{"Headers"},
		{"Headers"},
		nil,
		{"Secret", "Headers"},
		{"Policy", "TimeoutSeconds"},
		nil,
	}
	if diff := cmp.Diff(want, *heard); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every field of a webhook and its options that a client can set is one of the
// members that the audit compares: the others are listed here.
func TestRegistry_AuditComparesEveryMember(t *testing.T) {
	t.Parallel()
	service := []string{
		"Tenant", "ID", "Registered", "RegisteredBy", "Updated", "UpdatedBy", "App", "Secret", "SecretSince", "PreviousSince", "Rotations", "RotationDay", "Revision", "Activation", "ActivatedAt",
	}
	check := func(name string, set func(*webhook.Webhook) reflect.Value) {
		var from, to webhook.Webhook
		field := set(&to)
		filled, ok := other(field.Type())
		if !ok {
			t.Fatalf("%s: add a value of type %s to other", name, field.Type())
		}
		field.Set(filled)
		if got := webhook.Changed(from, to); len(got) != 1 {
			t.Errorf("a change of %s is audited as %v", name, got)
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[webhook.Webhook]()) {
		if !slices.Contains(service, f.Name) && f.Name != "Options" {
			check(f.Name, func(w *webhook.Webhook) reflect.Value { return reflect.ValueOf(w).Elem().FieldByIndex(f.Index) })
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[webhook.Options]()) {
		check(f.Name, func(w *webhook.Webhook) reflect.Value {
			return reflect.ValueOf(&w.Options).Elem().FieldByIndex(f.Index)
		})
	}
}

// other returns a value of a type that is not its zero value.
func other(t reflect.Type) (reflect.Value, bool) {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int8, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		element, ok := other(t.Elem())
		return reflect.Append(v, element), ok
	case reflect.Pointer:
		element, ok := other(t.Elem())
		v = reflect.New(t.Elem())
		v.Elem().Set(element)
		return v, ok
	case reflect.Struct:
		first, ok := other(t.Field(0).Type)
		v.Field(0).Set(first)
		return v, ok
	default:
		return v, false
	}
	return v, true
}
