package backoff_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// retries lists every use of a [backoff.Policy], and what a failure of the last
// try means.
var retries = map[string]string{
	"pkg/job Cancel cancelling.Retry":                         "ErrConflict: 409",
	"pkg/webhook Registry.retry saving.Retry":                 "ErrConflict: 409",
	"pkg/webhook Registry.CreateOnce saving.Retry":            "ErrConflict: 409",
	"pkg/secrets Manager.prepareLabels labelling.Retry":       "ErrUnavailable: 503",
	"pkg/store/dynamo table.retry contention.Retry":           "ErrUnavailable: 503, or another try of the message",
	"pkg/store/dynamo table.getAll contention.Retry":          "ErrUnavailable, as above",
	"pkg/store/dynamo Deliveries.write contention.Retry":      "ErrUnavailable, as above",
	"pkg/store/dynamo Webhooks.UpdateHealth contention.Retry": "ErrUnavailable: statistics are lost, a probe is put off",
	"pkg/dispatch Engine.sendAll sending.Retry":               "the row or the record speaks for the message",
	"pkg/dispatch reports.disable disabling.Retry":            "ErrConflict: the next failure disables",
	"pkg/dispatch view.match matching.Retry":                  "the event is handed over whole, or its message comes back",
	"pkg/dispatch consumer.later messageRetries.Wait":         "none: the queue counts the receives",
	"pkg/dispatch consumer.attempt secretRetries.Wait":        "none, as above",
	"pkg/embedded Pump.feed handingOver.Wait":                 "none: the feed goes on behind the batch; ends with its context",
}

// others lists all further loops that make calls under a context and do not
// range over a collection, with the reason why they are not retries: each
// iteration does a different part of the work.
var others = map[string]string{
	"functions/local secretsOfTarget for":               "a page of tenants a turn",
	"pkg/embedded Pump.Run for range":                   "a partition a turn",
	"pkg/embedded Pump.feed for":                        "a batch a turn; one that is not done waits by handingOver",
	"pkg/auth Authenticator.endOldest for":              "a page a turn",
	"pkg/auth Tokens.verified for":                      "two turns: with the keys at hand, then with newer ones",
	"pkg/embedded DB.purge for":                         "a page a turn",
	"pkg/embedded Pump.everyMinute for":                 "a minute a turn",
	"pkg/embedded Pump.queue for":                       "a batch a turn; a file that cannot be read has no others to collide with",
	"pkg/queue/sqs Queue.Send for":                      "a batch a turn; the SDK repeats calls, with jitter",
	"pkg/refresh Value.await for":                       "waits for the read of another call, and makes its own at most once",
	"pkg/secrets Cache.Read for":                        "waits for the call of another, and makes its own at most once",
	"pkg/store/dynamo Events.List for":                  "an event a turn",
	"pkg/store/dynamo Events.wind for":                  "a page a turn",
	"pkg/store/dynamo Webhooks.List for":                "a page a turn, until one can be read",
	"pkg/store/dynamo table.getAll for":                 "a batch of keys a turn",
	"pkg/store/dynamo table.query for":                  "a page a turn",
	"pkg/sweep Sweeper.drainDeadLetters for range":      "a page a turn, and no more than a number of them",
	"pkg/job Runner.Run for":                            "a slice a turn; a job that met a fault waits for the next minute",
	"pkg/sweep Sweeper.clearIntents for":                "an intent a turn",
	"pkg/sweep Sweeper.redrive for":                     "a page of names a turn",
	"pkg/sweep dueRows.sendShard for":                   "a page of rows a turn",
	"pkg/sweep dueRows.walk for":                        "a page of rows a turn, each of them once",
	"pkg/webhook Notifier.Flush for":                    "ten notices a turn, until a call fails; 1.5 s in all",
	"pkg/tenancy Administration.DeleteTenant for range": "a page a turn, and no more than a number of them",
	"pkg/webhook Registry.List for":                     "a page a turn",
	"pkg/tenancy Deletion.deliveries for":               "a batch of rows a turn, for two seconds",
}

// A retry loop without a bound, without jitter, or without regard for its
// context is easily written and easily overlooked. So the test classifies loops
// by their form: one that makes calls under a context, and does not range over
// a collection, must use the helper or be listed in others.
func TestLoops_RetriesUseBackoff(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	root := filepath.Join("..", "..")
	for _, dir := range []string{"pkg", "functions"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil || strings.HasSuffix(name, "test") || strings.HasPrefix(name, filepath.Join("pkg", "simulation")) || name == filepath.Join("pkg", "backoff") {
				return err
			}
			return loopsOf(path, filepath.ToSlash(name), found)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, loop := range slices.Sorted(maps.Keys(found)) {
		if retries[loop] == "" && others[loop] == "" {
			t.Errorf("unlisted loop %q: is it a retry?", loop)
		}
	}
	for _, list := range []map[string]string{retries, others} {
		for loop := range list {
			if !found[loop] {
				t.Errorf("%q is listed but does not exist", loop)
			}
		}
	}
}

// loopsOf adds the loops of one package, as "<package> <function> for", and its
// uses of policies.
func loopsOf(dir, name string, found map[string]bool) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var parsed []*ast.File
	numbers := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if decl, ok := n.(*ast.GenDecl); ok && decl.Tok == token.CONST {
				for _, spec := range decl.Specs {
					for _, c := range spec.(*ast.ValueSpec).Names { //nolint:forcetypeassert // the only kind of spec in a const declaration
						numbers[c.Name] = true
					}
				}
			}
			return true
		})
	}
	for _, file := range parsed {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			where := name + " " + receiver(f) + f.Name.Name
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					if policy, method, ok := policyCall(n); ok {
						found[fmt.Sprintf("%s %s.%s", where, policy, method)] = true
					}
				case *ast.ForStmt:
					if callsUnderContext(n) {
						found[where+" for"] = true
					}
				case *ast.RangeStmt:
					if countsOnly(n, numbers) && callsUnderContext(n) {
						found[where+" for range"] = true
					}
				}
				return true
			})
		}
	}
	return nil
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return "?."
}

// policyCall recognizes calls of a policy's methods by their form: Retry takes
// a context and Random, Wait takes Random.
func policyCall(call *ast.CallExpr) (policy, method string, ok bool) {
	selected, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selected.Sel.Name != "Retry" && (selected.Sel.Name != "Wait" || len(call.Args) != 2) {
		return "", "", false
	}
	of, ok := selected.X.(*ast.Ident)
	if !ok {
		return "", "", false
	}
	return of.Name, selected.Sel.Name, true
}

// countsOnly reports whether a range is over an integer, as far as that is
// visible without types.
func countsOnly(loop *ast.RangeStmt, numbers map[string]bool) bool {
	if loop.Value != nil {
		return false
	}
	switch x := loop.X.(type) {
	case *ast.BasicLit, *ast.BinaryExpr:
		return true
	case *ast.Ident:
		return numbers[x.Name] || loop.Key == nil
	case *ast.SelectorExpr:
		return loop.Key == nil
	}
	return false
}

// callsUnderContext reports whether a loop calls something with a context.
func callsUnderContext(loop ast.Node) (calls bool) {
	ast.Inspect(loop, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		for _, arg := range call.Args {
			if id, ok := arg.(*ast.Ident); ok && (id.Name == "ctx" || id.Name == "handling") {
				calls = true
			}
		}
		return !calls
	})
	return calls
}
