package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// Every call of docs/troubleshooting.md succeeds as it is written, for an event that
// was delivered.
func TestTroubleshooting_TheCallsWork(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the page's calls need ", program)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	target := webhooktest.NewReceiver(t)
	s := start(t, t.TempDir(), nil)
	key := delivery.Key{Tenant: "Default", Webhook: s.create(target.URL), Event: s.signal()}
	s.row(key, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	script, calls := "set -e\n", 0
	for _, block := range fenced.FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			script += line
			if strings.HasPrefix(line, "api ") {
				script += "echo\n"
				calls++
			}
		}
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:8080", s.base)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script) //nolint:gosec // our own documentation
	cmd.Env = append(os.Environ(), "EVENT="+string(key.Event))
	out, err := cmd.CombinedOutput()
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(answers) != calls || calls < 8 {
		t.Fatalf("%d calls: %v\n%s", calls, err, out)
	}
	for i, answer := range answers {
		if !strings.HasPrefix(answer, "{") || strings.Contains(answer, `"Error":true`) {
			t.Errorf("call %d: %s", i+1, answer)
		}
	}
	if !strings.Contains(string(out), `"Code":"delivered"`) || !strings.Contains(string(out), `"BodySha256"`) || !strings.Contains(string(out), `"Sample":"catalog"`) {
		t.Errorf("got %s", out)
	}
}
