package tenancy_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
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
		if got := tenancy.RoleARN(arn); got != want {
			t.Errorf("%s: got %q, want %q", arn, got, want)
		}
	}
}

// The regular expression is the documented shape of a role's ARN.
func TestRoleARN_AcceptsWhatMatchesTheExpression(t *testing.T) {
	t.Parallel()
	role := regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/([^/:]+/)*[A-Za-z0-9_+=,.@-]{1,64}$`)
	parts := []string{
		"", "a", "Z", "0", "_", ".", "-", "*", "\n", "é", strings.Repeat("x", 64), strings.Repeat("y", 135),
		"arn:aws:iam::123456789012:role/", "arn:aws-cn:iam::123456789012:role/", "arn:aws2:iam::123456789012:role/", "arn:aws:iam::12345678901:role/",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 4).Draw(t, "parts"), "")
		if got, want := tenancy.RoleARN(text) != "", role.MatchString(text); got != want {
			t.Fatalf("%q: got %v, want %v", text, got, want)
		}
	})
}
