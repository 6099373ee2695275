package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The calls of docs/concepts.md make a publisher that signals for a tenant named
// in the address, and is refused without one.
func TestRecipe_Publisher(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page's calls need curl")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "concepts.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := fenced.FindStringSubmatch(string(page))
	if block == nil {
		t.Fatal("docs/concepts.md has no calls")
	}
	s := start(t, t.TempDir(), nil)
	steps := strings.SplitAfter(strings.ReplaceAll(block[1], "\\\n", " "), "\n")
	token := ""
	run := func(call string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(call, "curl", "curl -sS -w '%{http_code}'", 1)) //nolint:gosec // our own documentation
		command.Env = append(os.Environ(), "API_URL="+s.base, "ADMIN_CREDENTIAL=admin:admin", "TOKEN="+token)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", call, err, out)
		}
		return string(out)
	}
	if got := run(steps[0]); !strings.HasSuffix(got, "201") {
		t.Fatalf("the tenant: %s", got)
	}
	made := run(steps[1])
	var credential struct{ Secret string }
	if err := json.Unmarshal([]byte(strings.TrimSuffix(made, "201")), &credential); err != nil {
		t.Fatalf("the credential: %s: %v", made, err)
	}
	token = credential.Secret
	for tenant, want := range map[string]string{"/Cust12345": "204", "": "421", "/Cust999": "421"} {
		if got := run(strings.Replace(steps[2], "/Cust12345", tenant, 1)); !strings.HasSuffix(got, want) {
			t.Errorf("address %q: got %s, want %s", tenant, got, want)
		}
	}
}
