package failure_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// declared returns the constants of a type of this package, by value.
func declared(t *testing.T, file, typeName string) (values []string) {
	t.Helper()
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == typeName {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}

// The documentation has a row for each error and detail, with the advice that
// the API and the log give.
func TestFailure_IsDocumented(t *testing.T) {
	t.Parallel()
	var want []string
	add := func(r webhook.Result) {
		_, sentence, ok := strings.Cut(r.Failure(), ": ")
		if !ok || !strings.HasSuffix(sentence, ".") || strings.Contains(strings.TrimSuffix(sentence, "."), ". ") {
			t.Errorf("%s (%s) has the advice %q, want one sentence", r.Error, r.Detail, sentence)
		}
		detail := "–"
		if r.Detail != "" {
			detail = "`" + string(r.Detail) + "`"
		}
		want = append(want, "| `"+string(r.Error)+"` | "+detail+" | "+sentence+" |")
	}
	details := declared(t, "advice.go", "Detail")
	for _, e := range declared(t, "failure.go", "Kind") {
		if e == "" {
			continue
		}
		add(webhook.Result{Error: failure.Kind(e)})
		if e == string(failure.TLS) {
			for _, d := range details {
				add(webhook.Result{Error: failure.TLS, Detail: failure.Detail(d)})
			}
		}
	}
	if len(want) != 20 {
		t.Errorf("%d errors and details, want the 20 of the API", len(want))
	}
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/errors.md (-code +docs):\n%s", diff)
	}
	// The lists of reference: both are part of the API.
	const errs, all = "dns refused reset tls timeout fast_timeout queue_timeout blocked_address redirect status protocol too_large body_too_large secret_unavailable aborted internal", "expired unknown_issuer wrong_name not_tls"
	if diff := cmp.Diff([]string{errs, all}, []string{strings.TrimSpace(strings.Join(declared(t, "failure.go", "Kind"), " ")), strings.Join(details, " ")}); diff != "" {
		t.Error(diff)
	}
}
