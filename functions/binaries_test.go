package functions_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/posthaste-dev/posthaste/"

// linked returns this module's packages in a function's binary.
func linked(t *testing.T, function string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "./"+function).Output()
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for p := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(p), module); ok {
			own = append(own, rest)
		}
	}
	if !slices.Contains(own, "pkg/webhook") {
		t.Fatalf("%s links %v", function, own)
	}
	return own
}

func TestBinaries_LinkWhatTheyNeed(t *testing.T) {
	t.Parallel()
	everywhere := []string{"pkg/receiver", "pkg/embedded", "pkg/simulation/memdb", "pkg/webhooktest", "functions/local"}
	for function, strangers := range map[string][]string{
		"api":     {"pkg/dispatch", "pkg/sweep", "pkg/events/eventbridge"},
		"deliver": {"pkg/httpapi", "pkg/auth", "pkg/sweep"},
		"retry":   {"pkg/httpapi", "pkg/auth", "pkg/sweep"},
		"ingest":  {"pkg/httpapi", "pkg/auth", "pkg/sweep", "pkg/dispatch", "pkg/outbound"},
		"sweep":   {"pkg/httpapi", "pkg/auth", "pkg/dispatch", "pkg/outbound"},
	} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			own := linked(t, function)
			for _, p := range slices.Concat(everywhere, strangers) {
				if slices.Contains(own, p) {
					t.Errorf("it links %s", p)
				}
			}
		})
	}
}

// The binaries as they are deployed. Even a stripped binary holds the names of
// its functions.
func TestBinaries_HoldNothingElse(t *testing.T) {
	build := os.Getenv("BUILT_FUNCTIONS")
	if build == "" {
		t.Skip("BUILT_FUNCTIONS is not set: make test-aws builds and sets it")
	}
	files, err := filepath.Glob(filepath.Join(build, "*", "bootstrap"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		function := filepath.Base(filepath.Dir(file))
		t.Run(function, func(t *testing.T) {
			binary, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", len(binary))
			if !bytes.Contains(binary, []byte("net/http.(*Transport).RoundTrip")) {
				t.Error("the binary does not show its functions' names")
			}
			for _, text := range []string{"tje0:Tje0", "admin:admin", "/_receiver", "net/http.(*Server).Serve", "net/http.(*conn).serve"} {
				if bytes.Contains(binary, []byte(text)) {
					t.Errorf("it holds %q", text)
				}
			}
		})
	}
}
