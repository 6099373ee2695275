package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// costlyBody is a body at the limits of its format.
type costlyBody struct{ what, method, path, contentType, text string }

// costlyBodies returns the bodies that took the most processor time of all that
// were tried: many long names that differ only in case.
func costlyBodies() []costlyBody {
	const root, form = "/api/v1/Webhook", "application/x-www-form-urlencoded"
	parts := func(n int, between string, part func(i int, letters string) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = part(i, strings.Repeat([]string{"é", "É"}[i%2], 95))
		}
		return strings.Join(all, between)
	}
	return []costlyBody{
		{"form of 4,990 names", "POST", root, form, parts(4990, "&", func(i int, letters string) string { return fmt.Sprintf("%s%d=", letters, i) })},
		{"form of 4,990 Properties", "POST", root, form, parts(4990, "&", func(i int, letters string) string { return fmt.Sprintf("Properties[%s%d]=", letters, i) })},
		{"XML of 4,990 elements", "POST", root, "application/xml", "<W>" + parts(4990, "", func(i int, _ string) string { return fmt.Sprintf("<%s%d/>", strings.Repeat("A", 190), i) }) + "</W>"},
		{"JSON of 80,000 headers", "POST", root, "application/json", `{"Headers":{` + parts(80_000, ",", func(i int, _ string) string { return fmt.Sprintf(`"k%05d":""`, i) }) + `}}`},
		{"merge patch of 4,800 Properties", "PATCH", root + "/1", "application/json", `{"Properties":{` + parts(4800, ",", func(i int, letters string) string { return fmt.Sprintf(`"%s%d":1`, letters, i) }) + `}}`},
		{"JSON Patch of 500 tests", "PATCH", root + "/1", "application/json", `[` + parts(500, ",", func(int, string) string { return `{"op":"test","path":"/Properties","value":{"k":1}}` }) + `]`},
		{"form of an event's data", "POST", root + "/bench.data/1", form, parts(4990, "&", func(i int, letters string) string { return fmt.Sprintf("%.40s%d=", letters, i) })},
	}
}

// benchBodies reports the body that costs the most processor time.
func benchBodies(b *testing.B, t *table, binary string) {
	const times = 10
	s := startBenchService(b, binary)
	defer s.stop()
	send := func(body costlyBody) int {
		req, err := http.NewRequest(body.method, "http://"+s.addr+body.path, strings.NewReader(body.text))
		if err != nil {
			b.Fatal(err)
		}
		req.SetBasicAuth("tje0", "Tje0")
		req.Header.Set("Content-Type", body.contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := send(costlyBody{method: "POST", path: "/api/v1/Webhook", contentType: "application/json", text: `{"Events":["bench.x"],"TargetUrl":"http://127.0.0.1:9000/","Properties":{"k":1}}`}); status != http.StatusOK {
		b.Fatalf("create: %d", status)
	}
	var costliest row
	bodies := costlyBodies()
	for _, body := range bodies {
		w := measure(s.cmd.Process.Pid)
		status := 0
		for range times {
			status = send(body)
		}
		took, idle, cpu := w.close()
		if cpu/times >= costliest.cpu {
			costliest = row{what: body.what, perSecond: times / took.Seconds(), idle: idle, cpu: cpu / times, note: fmt.Sprintf(
				"%d bytes, answered %d; the costliest of %d (goal %s)", len(body.text), status, len(bodies), 300*time.Millisecond)}
		}
	}
	t.add(costliest)
}
