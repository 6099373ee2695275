package httpapi_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

var growth = flag.Bool("growth", false, "run TestWork_GrowsWithTheBody, which builds a counting binary and starts it for each body")

// workload is a body that TestWork_GrowsWithTheBody lets another process read.
var workload = flag.String("workload", "", "serve one body of TestWork_GrowsWithTheBody: its name, a comma, its size")

// request is a call of a workload. The last one of a workload is measured.
type request struct{ method, path, contentType, body string }

const (
	root = "/api/v1/Webhook"
	form = "application/x-www-form-urlencoded"
)

// workloads are bodies or queries of n parts, up to the limit of each format. Names
// share long prefixes and differ in case, which makes comparisons expensive.
var workloads = map[string]struct {
	most  int
	calls func(n int) []request
}{
	"form, members": {4990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(i int) string { return long(i, 60) + "=" })}}
	}},
	"form, a dictionary's names": {4990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(i int) string { return "Properties[" + long(i, 60) + "]=1" })}}
	}},
	"form, small dictionaries": {4990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(i int) string { return fmt.Sprintf("Properties[%s][%s]=1", long(i/31, 20), long(i, 20)) })}}
	}},
	"form, nested": {4990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(i int) string { return "Properties[a][b][c][d][e][" + long(i, 40) + "]=1" })}}
	}},
	"form, items by key": {1990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(i int) string { return "ErrorAssociates[" + long(i, 60) + "][Id]=1" })}}
	}},
	"form, items without a key": {1990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(int) string { return "Events[]=a.b" })}}
	}},
	"form, an event's data": {4990, func(n int) []request {
		return []request{{"POST", root + "/a.b/1", form, list(n, "", "&", "", func(i int) string { return long(i, 10) + "=" })}}
	}},
	"form, a repeated member": {4990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(int) string { return "Name=a" })}}
	}},
	"form, a repeated property": {4990, func(n int) []request {
		return []request{{"POST", root, form, list(n, "", "&", "", func(i int) string { return []string{"Properties[k]=a", "Properties[k][x]=a", "Properties[k][]=a"}[i%3] })}}
	}},
	"form, a repeated name of an event's data": {4990, func(n int) []request {
		return []request{{"POST", root + "/a.b/1", form, list(n, "", "&", "", func(i int) string { return []string{"a=1", "a[]=1"}[i%2] })}}
	}},
	"XML, a repeated member": {4990, func(n int) []request {
		return []request{{"POST", root, "application/xml", list(n, "<W>", "", "</W>", func(i int) string { return []string{"<Name/>", "<name/>"}[i%2] })}}
	}},
	"XML, a repeated list": {1600, func(n int) []request {
		return []request{{"POST", root, "application/xml", list(n, "<W>", "", "</W>", func(int) string { return "<Events><string>a</string><string>b</string></Events>" })}}
	}},
	"XML, a repeated name of an event's data": {4990, func(n int) []request {
		return []request{{"POST", root + "/a.b/1", "application/xml", list(n, "<W>", "", "</W>", func(int) string { return "<a/>" })}}
	}},
	"XML, references": {20000, func(n int) []request {
		return []request{{"POST", root, "application/xml", "<W><Name>" + strings.Repeat("&#1114111;", n) + "</Name></W>"}}
	}},
	"XML, comments that do not end": {20000, func(n int) []request {
		return []request{{"POST", root, "application/xml", "<W>" + strings.Repeat("<!--", n) + "</W>"}}
	}},
	"JSON, surrogate pairs": {20000, func(n int) []request {
		return []request{{"POST", root, "", `{"Name":"` + strings.Repeat(`\ud83d\ude00`, n) + `"}`}}
	}},
	"JSON, properties that shadow the body": {1200, func(n int) []request {
		return []request{{"POST", root, "", `{"Events":["a"],"TargetUrl":"https://example.com/","Properties":` +
			list(n, "{", ",", "}", func(i int) string { return `"` + spelling("changedbyassociateid", i) + `":1` }) + `}`}}
	}},
	"JSON, members that are nearly known": {8000, func(n int) []request {
		return []request{{"POST", root, "", list(n, "{", ",", "}", func(i int) string { return `"` + spelling("registeredassociates", i) + `":1` })}}
	}},
	"XML, members": {4990, func(n int) []request {
		return []request{{"POST", root, "application/xml", list(n, "<W>", "", "</W>", func(i int) string { return fmt.Sprintf("<%s%d/>", strings.Repeat("A", 100), i) })}}
	}},
	"XML, pairs": {1600, func(n int) []request {
		return []request{{"POST", root, "application/xml", list(n, "<W><Properties>", "", "</Properties></W>", func(i int) string { return "<KeyValuePair><Key>" + long(i, 60) + "</Key><Value/></KeyValuePair>" })}}
	}},
	"XML, values of any type": {4990, func(n int) []request {
		return []request{{"POST", root, "application/xml", list(n, "<W><Properties><a>", "", "</a></Properties></W>", func(i int) string { return fmt.Sprintf("<%s%d/>", strings.Repeat("A", 100), i) })}}
	}},
	"XML, an event's data": {4990, func(n int) []request {
		return []request{{"POST", root + "/a.b/1", "application/xml", list(n, "<W>", "", "</W>", func(i int) string { return fmt.Sprintf("<%s%d/>", strings.Repeat("A", 20), i) })}}
	}},
	"JSON, unknown members": {8000, func(n int) []request { return []request{{"POST", root, "", members(n, 50, "1")}} }},
	"JSON, spellings of a member": {8000, func(n int) []request {
		return []request{{"POST", root, "", list(n, "{", ",", "}", func(i int) string { return `"` + spelling("errorassociates", i) + `":[{"Id":1}]` })}}
	}},
	"JSON, headers": {8000, func(n int) []request {
		return []request{{"POST", root, "", `{"Headers":` + members(n, 50, `"`+"********"+`"`) + `}`}}
	}},
	"JSON, headers of a webhook that has many": {4000, func(n int) []request {
		return []request{
			{"POST", root, "", `{"Events":["a"],"TargetUrl":"https://example.com/","Headers":` + list(50, "{", ",", "}", func(i int) string { return fmt.Sprintf(`"X-%d":"v"`, i) }) + `}`},
			{"PUT", root + "/1", "", `{"Events":["a"],"TargetUrl":"https://example.com/","Headers":` + members(n, 50, `"`+"********"+`"`) + `}`},
		}
	}},
	"JSON, events": {1300, func(n int) []request {
		return []request{{"POST", root, "", `{"TargetUrl":"https://example.com/","Events":` + list(n, "[", ",", "]", func(i int) string { return `"` + strconv.FormatInt(int64(i), 36) + `"` }) + `}`}}
	}},
	"JSON, addresses": {1990, func(n int) []request {
		return []request{{"POST", root, "", `{"ErrorEmails":` + list(n, "[", ",", "]", func(i int) string { return `"` + long(i, 60) + `"` }) + `}`}}
	}},
	"JSON, associates": {1990, func(n int) []request {
		return []request{{"POST", root, "", `{"ErrorAssociates":` + list(n, "[", ",", "]", func(int) string { return `{"Id":1,"Name":"a"}` }) + `}`}}
	}},
	"JSON, an event's data": {4000, func(n int) []request { return []request{{"POST", root + "/a.b/1", "", members(n, 20, "1")}} }},
	"JSON, the agent's arguments": {8000, func(n int) []request {
		return []request{{"POST", "/api/v1/Agents/Webhook/SignalEvent", "", members(n, 50, "1")}}
	}},
	"JSON, options": {8000, func(n int) []request {
		return []request{stored(1), {"PUT", root + "/1/Options", "", members(n, 50, "1")}}
	}},
	"JSON, the administration's members": {8000, func(n int) []request {
		return []request{{"POST", "/admin/v1/Tenants", "", members(n, 50, "1")}}
	}},
	"JSON, scopes": {1990, func(n int) []request {
		return []request{{"POST", "/admin/v1/Tenants/Default/Credentials", "", `{"Scopes":` + list(n, "[", ",", "]", func(i int) string { return `"` + long(i, 60) + `"` }) + `}`}}
	}},
	"JSON, members of events": {80, func(n int) []request {
		return []request{{"POST", eventsPath, "", list(n, "[", ",", "]", func(int) string { return `{"Event":"a","FieldValues":` + members(40, 20, "1") + `}` })}}
	}},
	"JSON, unknown members of an event": {8000, func(n int) []request { return []request{{"POST", eventsPath, "", members(n, 50, "1")}} }},
	"JSON, an event's names": {1990, func(n int) []request {
		return []request{{"POST", eventsPath, "", `{"Event":"a","Changes":` + list(n, "[", ",", "]", func(i int) string { return `"` + long(i, 60) + `"` }) + `}`}}
	}},
	"JSON, too many events": {8000, func(n int) []request {
		return []request{{"POST", eventsPath, "", list(n, "[", ",", "]", func(int) string { return `{"Event":"a"}` })}}
	}},
	"CloudEvents, attributes": {8000, func(n int) []request {
		return []request{{"POST", eventsPath, "application/cloudevents+json", list(n, "{", ",", "}", func(i int) string { return fmt.Sprintf(`"x%d":""`, i) })}}
	}},
	"CloudEvents, invalid names": {8000, func(n int) []request {
		return []request{{"POST", eventsPath, "application/cloudevents+json", members(n, 50, "1")}}
	}},
	"CloudEvents, a batch": {80, func(n int) []request {
		return []request{{"POST", eventsPath, "application/cloudevents-batch+json", list(n, "[", ",", "]", func(i int) string {
			return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"s","type":"a","data":%s}`, i, members(40, 20, "1"))
		})}}
	}},
	"merge patch, new names": {4800, func(n int) []request {
		return []request{stored(100), {"PATCH", root + "/1", "", `{"Properties":` + members(n, 50, "1") + `}`}}
	}},
	"merge patch, nested names": {4800, func(n int) []request {
		return []request{stored(100), {"PATCH", root + "/1", "", `{"Properties":{"a":{"b":` + members(n, 50, "1") + `}}}`}}
	}},
	"merge patch, removals": {2400, func(n int) []request {
		return []request{stored(n), {"PATCH", root + "/1", "", `{"Properties":` + list(n, "{", ",", "}", func(i int) string { return fmt.Sprintf(`"K%d":null`, n-1-i) }) + `}`}}
	}},
	"merge patch, spellings of a member": {1000, func(n int) []request {
		return []request{stored(2 * n), {"PATCH", root + "/1", "", list(n, "{", ",", "}", func(i int) string {
			return fmt.Sprintf(`"%s":{"k%d":null,"n%d":1}`, spelling("properties", i), i, i)
		})}}
	}},
	"merge patch, headers": {4800, func(n int) []request {
		return []request{stored(1), {"PATCH", root + "/1", "", `{"Headers":` + members(n, 50, `"v"`) + `}`}}
	}},
	"JSON Patch, tests":          patchOf(`{"op":"test","path":"/Properties/K%d","value":%[1]d}`),
	"JSON Patch, tests of texts": patchOf(`{"op":"test","path":"/Description","value":"d"}`),
	"JSON Patch, tests of what it changed": {499, func(n int) []request {
		return []request{stored(1), {"PATCH", root + "/1", "", list(n, `[{"op":"add","path":"/NotifyWhen","value":"`+strings.Repeat("None, ", n)+`None"},`, ",", "]", func(int) string {
			return `{"op":"test","path":"/NotifyWhen","value":"None"}`
		})}}
	}},
	"JSON Patch, additions":    patchOf(`{"op":"add","path":"/Properties/é%d","value":1}`),
	"JSON Patch, replacements": patchOf(`{"op":"replace","path":"/Properties/K%d","value":1}`),
	"JSON Patch, removals":     patchOf(`{"op":"remove","path":"/Properties/K%d"}`),
	"JSON Patch, insertions":   patchOf(`{"op":"add","path":"/Events/0","value":"a%d"}`),
	"a query's parameters": {4990, func(n int) []request {
		return []request{stored(1), {"GET", root + "?" + list(n, "", "&", "", func(i int) string { return fmt.Sprintf("a%d=1", i) }), "", ""}}
	}},
	"$select": {500, func(n int) []request {
		return []request{stored(1), {"GET", root + "?$select=" + list(n, "", ",", "", func(i int) string { return fmt.Sprintf("a%d/b/c", i) }), "", ""}}
	}},
}

// patchOf returns a JSON Patch of operations on a webhook with as many Properties.
func patchOf(operation string) struct {
	most  int
	calls func(n int) []request
} {
	return struct {
		most  int
		calls func(n int) []request
	}{500, func(n int) []request {
		return []request{stored(n), {"PATCH", root + "/1", "", list(n, "[", ",", "]", func(i int) string {
			if strings.Contains(operation, "%") {
				return fmt.Sprintf(operation, i)
			}
			return operation
		})}}
	}}
}

// stored returns the call that creates webhook 1 with n Properties k0, k1, …, whose
// values are their numbers.
func stored(n int) request {
	return request{"POST", root, "", `{"Events":["a"],"TargetUrl":"https://example.com/","Description":"d","Properties":` +
		list(n, "{", ",", "}", func(i int) string { return fmt.Sprintf(`"k%d":%[1]d`, i) }) + `}`}
}

func list(n int, first, between, last string, part func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = part(i)
	}
	return first + strings.Join(parts, between) + last
}

func members(n, length int, value string) string {
	return list(n, "{", ",", "}", func(i int) string { return `"` + long(i, length) + `":` + value })
}

// long returns a long name that is unique to a number.
func long(i, length int) string {
	return strings.Repeat([]string{"é", "É"}[i%2], length/2) + strconv.Itoa(i)
}

// spelling returns one of a name's spellings.
func spelling(name string, i int) string {
	letters := []byte(name)
	for at := range letters {
		if i>>at&1 == 1 {
			letters[at] -= 'a' - 'A'
		}
	}
	return string(letters)
}

// A body of twice the size takes at most 2.2 times the work, in every format up to
// its limit. Work is the number of executed statements of our own code, from a
// coverage profile, and the number of allocations.
func TestWork_GrowsWithTheBody(t *testing.T) {
	t.Parallel()
	if !*growth {
		t.Skip("make test-growth runs it")
	}
	binary := filepath.Join(t.TempDir(), "counting")
	counted := []string{"httpapi", "httpapi/wire", "webhook", "jsonscan", "cloudevent"}
	for i, p := range counted {
		counted[i] = "github.com/posthaste-dev/posthaste/pkg/" + p
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-covermode=atomic", "-coverpkg="+strings.Join(counted, ","), "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	idle, _ := work(t, binary, "", 0)
	for name, load := range workloads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			half, halfAllocs := work(t, binary, name, load.most/2)
			whole, wholeAllocs := work(t, binary, name, load.most)
			const most = 2.2
			if grown := float64(whole-idle) / float64(half-idle); grown > most {
				t.Errorf("twice the size is %.1f times the statements: %d and %d", grown, half-idle, whole-idle)
			}
			if grown := float64(wholeAllocs) / float64(halfAllocs); grown > most {
				t.Errorf("twice the size is %.1f times the allocations: %d and %d", grown, halfAllocs, wholeAllocs)
			}
		})
	}
}

// work runs a workload in a process, and returns the number of statements and
// allocations.
func work(t *testing.T, binary, name string, n int) (statements, allocs int) {
	t.Helper()
	profile := filepath.Join(t.TempDir(), "profile")
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestWorkload$", "-test.v", "-test.coverprofile="+profile, fmt.Sprintf("-workload=%s,%d", name, n))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, after, found := strings.Cut(string(out), "allocations: "); found {
		_, _ = fmt.Sscan(after, &allocs)
	}
	f, err := os.Open(profile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() { // file:from,to statements times
		if words := strings.Fields(lines.Text()); len(words) == 3 {
			size, err1 := strconv.Atoi(words[1])
			times, err2 := strconv.Atoi(words[2])
			if err1 != nil || err2 != nil {
				t.Fatalf("profile of %s: %q", name, lines.Text())
			}
			statements += size * times
		}
	}
	if err := lines.Err(); err != nil || statements == 0 {
		t.Fatalf("profile of %s: %d statements, %v", name, statements, err)
	}
	return statements, allocs
}

// TestWorkload is run by the process that counts.
func TestWorkload(t *testing.T) {
	if *workload == "" {
		t.Skip("no workload is named")
	}
	s := newServer(t)
	end := strings.LastIndexByte(*workload, ',')
	load, known := workloads[(*workload)[:end]]
	if !known {
		return
	}
	n, err := strconv.Atoi((*workload)[end+1:])
	if err != nil {
		t.Fatal(err)
	}
	calls := load.calls(n)
	for i, c := range calls {
		r := httptest.NewRequest(c.method, "http://example.test/", strings.NewReader(c.body))
		path, query, _ := strings.Cut(c.path, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header.Set("Authorization", "Basic dGplMDpUamUw")
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		var answer struct{ ErrorMessage string }
		_ = json.Unmarshal(w.Body.Bytes(), &answer)
		t.Logf("%s %s: %d %.100s; %d bytes", c.method, path, w.Code, answer.ErrorMessage, len(c.body))
		if i < len(calls)-1 && w.Code != 200 {
			t.Errorf("the preparation failed: %s", w.Body)
		}
		if i == len(calls)-1 {
			t.Logf("allocations: %d", after.Mallocs-before.Mallocs)
		}
	}
}
