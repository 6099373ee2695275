package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The calls of docs/concepts.md make a publisher that signals for a tenant named
// in the address, and is refused without one.
func TestRecipe_Publisher(t *testing.T) {
	t.Parallel()
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
	if body, status := s.curl(steps[0]); status != "201" {
		t.Fatalf("the tenant: %s %s", status, body)
	}
	made, _ := s.curl(steps[1])
	var credential struct{ Secret string }
	decode(t, made, &credential)
	for tenant, want := range map[string]string{"/Cust12345": "204", "": "421", "/Cust999": "421"} {
		if body, got := s.curl(strings.Replace(steps[2], "/Cust12345", tenant, 1), "TOKEN="+credential.Secret); got != want {
			t.Errorf("address %q: got %s %s, want %s", tenant, got, body, want)
		}
	}
}
