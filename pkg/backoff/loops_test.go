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

// retries lists every use of a [backoff.Policy], and what happens when the last try
// fails.
var retries = map[string]string{
	"pkg/job Cancel cancelling.Retry":                         "ErrConflict: 409",
	"pkg/source Registry.change saving.Retry":                 "ErrConflict: 409",
	"pkg/source Registry.delete saving.Retry":                 "ErrConflict: 409",
	"pkg/webhook Registry.retry saving.Retry":                 "ErrConflict: 409",
	"pkg/webhook Registry.CreateOnce saving.Retry":            "ErrConflict: 409",
	"pkg/secrets Manager.prepareLabels labelling.Retry":       "ErrUnavailable: 503",
	"pkg/secrets Root.Rotate rotating.Retry":                  "ErrUnavailable: 503",
	"pkg/store/dynamo table.retry contention.Retry":           "ErrUnavailable: 503, or the message is received again",
	"pkg/store/dynamo table.getAll contention.Retry":          "ErrUnavailable, as above",
	"pkg/store/dynamo Deliveries.write contention.Retry":      "ErrUnavailable, as above",
	"pkg/store/dynamo Webhooks.UpdateHealth contention.Retry": "ErrUnavailable: statistics are lost, or a probe is postponed",
	"pkg/dispatch Engine.sendAll sending.Retry":               "the row or the record is the fallback for the message",
	"pkg/dispatch timers.ensure ensuring.Retry":               "the row is not parked: its message is received again",
	"pkg/dispatch reports.disable disabling.Retry":            "ErrConflict: the next failure disables the webhook",
	"pkg/dispatch view.choose matching.Retry":                 "the whole event is handed off, or its message is received again",
	"pkg/dispatch consumer.later messageRetries.Wait":         "no last try: the queue counts the receives",
	"pkg/dispatch consumer.attempt secretRetries.Wait":        "no last try, as above",
	"pkg/embedded Pump.feed handingOver.Wait":                 "no last try: the feed continues only after the batch, until its context ends",
}

// others lists all other loops that pass a context to a call and do not range over
// a collection, and why they are not retries: each iteration does a different part
// of the work.
var others = map[string]string{
	"functions/local secretsOfTargets for":              "a page of tenants per iteration",
	"functions/local secretsOfTenant for":               "a page of webhooks per iteration",
	"pkg/embedded Pump.Run for range":                   "a partition per iteration",
	"pkg/embedded Pump.feed for":                        "a batch per iteration; a failed batch waits by handingOver",
	"pkg/auth Authenticator.endOldest for":              "a page per iteration",
	"pkg/explain Explainer.All for range":               "a page of webhooks per iteration, up to a limit",
	"pkg/webhook Registry.Preview for":                  "a page of events per iteration, up to a limit",
	"pkg/webhook Registry.Sight for":                    "a page of webhooks per iteration",
	"pkg/auth Tokens.verified for":                      "two iterations: with the cached keys, then with newer ones",
	"pkg/embedded DB.purge for":                         "a page per iteration",
	"pkg/embedded Pump.everyMinute for":                 "a minute per iteration",
	"pkg/embedded Pump.queue for":                       "a batch per iteration; errors of the file need no jitter: there are no other readers",
	"pkg/queue/sqs Queue.Send for":                      "a batch per iteration; the SDK retries calls with jitter",
	"pkg/refresh Value.await for":                       "waits for another call's read, and reads at most once itself",
	"pkg/secrets Cache.Read for":                        "waits for another call, and reads at most once itself",
	"pkg/store/dynamo Events.List for":                  "an event per iteration",
	"pkg/store/dynamo Events.wind for":                  "a page per iteration",
	"pkg/store/dynamo Webhooks.List for":                "a page per iteration, until one is readable",
	"pkg/store/dynamo table.getAll for":                 "a batch of keys per iteration",
	"pkg/store/dynamo table.query for":                  "a page per iteration",
	"pkg/sweep Sweeper.drainDeadLetters for range":      "a page per iteration, up to a limit",
	"pkg/replay Retry.Start for range":                  "five iterations, each decides by the row that another writer has just changed: no wait",
	"pkg/job Runner.Run for":                            "a slice per iteration; a failed job waits for the next minute",
	"pkg/sweep Sweeper.clearIntents for":                "an intent per iteration",
	"pkg/sweep Sweeper.redrive for":                     "a page of names per iteration",
	"pkg/sweep dueRows.sendPages for":                   "a page of rows per iteration",
	"pkg/sweep dueRows.sendTurns for":                   "a turn of rows per iteration",
	"pkg/sweep Sweeper.sendDue for range":               "a worker per iteration",
	"pkg/sweep Sweeper.visitTimers for range":           "a worker per iteration",
	"pkg/sweep Sweeper.visitTimers for":                 "a page of timers per iteration",
	"pkg/sweep walk.next for":                           "a page per iteration",
	"pkg/sweep gate.ensure for range":                   "two tries: the next Run parks the row",
	"pkg/dispatch drain.parked for":                     "a partition per iteration, for five seconds",
	"pkg/dispatch drain.partition for":                  "a page of rows per iteration",
	"pkg/store/dynamo Deliveries.Waiting for":           "a page per iteration",
	"pkg/notice Notifier.Flush for":                     "ten notices per iteration, until a call fails; 1.5 s in all",
	"pkg/tenancy Administration.DeleteTenant for range": "a page per iteration, up to a limit",
	"pkg/webhook Registry.List for":                     "a page per iteration",
	"pkg/tenancy Deletion.deliveries for":               "a batch of rows per iteration, for two seconds",
}

// A retry loop without a bound, without jitter, or that ignores its context is easy
// to write and easy to overlook. So the test classifies loops by their form: a loop
// that passes a context to a call and does not range over a collection must use
// package backoff or be listed in others.
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
// uses of a policy.
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

// policyCall recognizes calls of a policy's methods by their form: Retry, and Wait
// with two arguments.
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

// countsOnly reports whether a range is over an integer, as far as the syntax tells
// without types.
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

// callsUnderContext reports whether a loop passes a context to a call.
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
