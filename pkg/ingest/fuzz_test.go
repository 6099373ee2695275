package ingest_test

import (
	"strings"
	"testing"
)

// FuzzRelay posts bodies that are signed and hostile, and signatures that are
// only hostile: the first are always accepted, the second never.
func FuzzRelay(f *testing.F) {
	f.Add(body, "1", "")
	f.Add(`{"EventId":1,"Event":null,"Changes":{},"Values":[],"FieldValues":"x"}`, "", "v1,")
	f.Add(strings.Repeat("[", 100), "-1", "AAAA")
	f.Add("{\"Event\":\"\xff\",\"Event\":\"a.b\"}", "1e3", " ")
	f.Add(order, "0", "v1,AAAA v1a,")
	b := newBench(f)
	f.Fuzz(func(t *testing.T, body, hops, signature string) {
		b.t = t
		if len(body) > 1<<20 {
			t.Skip()
		}
		if status := b.relayed(body, "X-Posthaste-Hops: "+hops); status != 200 {
			t.Errorf("a signed body: got %d", status)
		}
		headers := []string{"X-SuperOffice-Signature: " + signature, "webhook-id: 1", "webhook-timestamp: 1795507200", "webhook-signature: " + signature}
		for _, name := range []string{"crm", "shop"} {
			if w := b.post("/in/v1/"+name, body, headers...); w.Code != 401 {
				t.Errorf("%s, not signed: got %d", name, w.Code)
			}
		}
		if len(b.log.String()) > 1<<20 {
			b.log.Reset()
		}
	})
}
