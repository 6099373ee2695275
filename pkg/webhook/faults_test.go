package webhook_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	var f webhook.Faults
	if err := f.Err(); err != nil {
		t.Errorf("without faults: got %v, want nil", err)
	}
	f.Add("100%d", "must be %s", "less")
	f.AddText("Headers", "Headers: invalid header name %q", "a b")
	want := []webhook.Fault{{"100%d", "100%d must be less"}, {"Headers", `Headers: invalid header name "a b"`}}
	var invalid *webhook.ValidationError
	if !errors.As(f.Err(), &invalid) {
		t.Fatalf("got %v, want a ValidationError", f.Err())
	}
	if diff := cmp.Diff(want, invalid.Faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if got := invalid.Error(); got != want[0].Text+"; "+want[1].Text {
		t.Errorf("got %q", got)
	}
	for range 2 * webhook.MaxFaults {
		f.Add("Name", "is required")
	}
	if len(f) != webhook.MaxFaults {
		t.Errorf("got %d faults, want %d", len(f), webhook.MaxFaults)
	}
}

// The text of every fault of a draft starts with its member.
func TestDraft_FaultsNameTheirMember(t *testing.T) {
	t.Parallel()
	bad := webhook.NewSecret("whsec_!")
	long := strings.Repeat("x", 5000)
	draft := webhook.Draft{
		Name: long, Events: []string{"no name", long}, TargetURL: "ftp://a", Secret: &bad, State: 9, Type: "crmscript",
		Headers: []webhook.DraftHeader{{Name: "a b"}, {Name: "Host"}, {Name: "X-A"}, {Name: "x-a"}, {Name: "X_A"}}, Properties: json.RawMessage("[]"),
		ErrorsEmail: long, ErrorEmails: slices.Repeat([]string{long}, 51), ErrorAssociates: json.RawMessage(strings.Repeat(" ", 40_000)),
		Description: long, NotifyVia: 9, NotifyWhen: 9,
	}
	var invalid *webhook.ValidationError
	if !errors.As(draft.Validate(webhook.Rules{}), &invalid) {
		t.Fatal("a draft full of faults is valid")
	}
	var members []string
	for _, f := range invalid.Faults {
		if !strings.HasPrefix(f.Text, f.Member) || f.Member == "" {
			t.Errorf("fault %q does not start with its member %q", f.Text, f.Member)
		}
		members = append(members, f.Member)
	}
	want := []string{
		"Name", "Events", "TargetUrl", "Secret", "State", "Type", "Headers", "Properties",
		"ErrorsEmail", "ErrorEmails", "ErrorAssociates", "Description", "NotifyVia", "NotifyWhen",
	}
	if diff := cmp.Diff(want, slices.Compact(members)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}
