package ingest_test

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// Behind API Gateway a body arrives as a string or in base64, and a repeated
// header with its values joined.
func TestRelay_BehindTheGateway(t *testing.T) {
	t.Parallel()
	const marked = "\xef\xbb\xbf" + body
	sign := func(body string) string { return signature.SuperOffice(secret, []byte(body)) }
	for name, c := range map[string]struct {
		body      string
		encoded   bool
		signature string
		status    int
	}{
		"a string":                  {body, false, sign(body), 200},
		"base64":                    {base64.StdEncoding.EncodeToString([]byte(body)), true, sign(body), 200},
		"a string with a mark":      {marked, false, sign(marked), 200},
		"base64 with a mark":        {base64.StdEncoding.EncodeToString([]byte(marked)), true, sign(marked), 200},
		"signed without the mark":   {marked, false, sign(body), 401},
		"signed as sent in base64":  {base64.StdEncoding.EncodeToString([]byte(body)), true, sign(base64.StdEncoding.EncodeToString([]byte(body))), 401},
		"a repeated signature":      {body, false, sign(body) + "," + sign(body), 401},
		"other than base64":         {"%%%", true, sign(body), 400},
		"over 1 MiB":                {strings.Repeat(" ", 1<<20) + body, false, "", 413},
		"an empty body, not signed": {"", false, "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			headers := map[string]string{"content-type": "application/json"}
			if c.signature != "" {
				headers["x-superoffice-signature"] = c.signature
			}
			payload, err := json.Marshal(map[string]any{
				"rawPath": "/in/v1/crm", "headers": headers, "body": c.body, "isBase64Encoded": c.encoded,
				"requestContext": map[string]any{"http": map[string]any{"method": "POST"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := trigger.HTTP(b, httpapi.WriteError, "", slog.New(slog.DiscardHandler)).Invoke(t.Context(), payload)
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ StatusCode int }
			if err := json.Unmarshal(out, &got); err != nil || got.StatusCode != c.status {
				t.Errorf("got %s (%v), want %d", out, err, c.status)
			}
			if made := len(b.events("Acme")); (made == 1) != (c.status == 200) {
				t.Errorf("got %d events", made)
			}
		})
	}
}
