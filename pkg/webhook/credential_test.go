package webhook_test

import (
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestRoleARN(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::123456789012:role/publisher"
	for arn, want := range map[string]string{
		role: role,
		"arn:aws:iam::123456789012:role/a/path/publisher":         role,
		"arn:aws:sts::123456789012:assumed-role/publisher/i-0abc": role,
		"arn:aws-cn:sts::123456789012:assumed-role/publisher/i":   "arn:aws-cn:iam::123456789012:role/publisher",
		"arn:aws:sts::123456789012:assumed-role/publisher":        "",
		"arn:aws:sts::123456789012:assumed-role/publisher/x/y":    "",
		"arn:aws:iam::123456789012:user/publisher":                "",
		"arn:aws:iam::123456789012:root":                          "",
		"arn:aws:iam::123456789012:role/":                         "",
		"arn:aws:iam::12345678901:role/publisher":                 "",
		"arn:evil:iam::123456789012:role/publisher":               "",
		"arn:aws:iam:eu-west-1:123456789012:role/publisher":       "",
		"arn:aws:iam::123456789012:role/publisher:x":              "",
		"arn:aws:sts::123456789012:federated-user/publisher":      "",
		"arn:aws:iam::123456789012:role/pub lisher":               "",
		"": "",
	} {
		if got := webhook.RoleARN(arn); got != want {
			t.Errorf("%s: got %q, want %q", arn, got, want)
		}
	}
}
