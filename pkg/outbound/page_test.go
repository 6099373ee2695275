package outbound_test

import (
	"bytes"
	"encoding/json"
	"flag"
	neturl "net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var update = flag.Bool("update", false, "rewrite the examples of docs/example.md")

const examplePage = "../../docs/example.md"

// example is the delivery of the page: the README's event to a webhook with a
// header and a property of its own, in the second attempt.
func example(url string) webhook.Post {
	return webhook.Post{
		Webhook: webhook.Webhook{
			Tenant: "Default", ID: 1, Name: "My first webhook", TargetURL: url,
			Headers: []webhook.Header{{Name: "X-Source", Value: "crm"}}, Properties: json.RawMessage(`{"Region":"Nordic"}`),
			Secret: webhook.SecretRef{Signed: true},
		},
		Event: webhook.Event{
			Tenant: "Default", ID: "01a20c91-a001-7142-80d0-647b2142f278", Name: "contact.changed", PrimaryKey: 7,
			Data: json.RawMessage(`{"name":"Blåbær AS","category_idx":3}`), ChangedBy: 1, Hops: 1,
			At: time.Date(2026, 11, 27, 8, 30, 1, 234567800, time.UTC),
		},
		Secrets: webhook.SecretDocument{Current: webhook.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
		Retry:   1,
	}
}

// sent returns the head and the body of the POST as the target reads them.
func sent(t *testing.T, config func(*outbound.Config), change func(*webhook.Post)) (head, body string) {
	t.Helper()
	url, got := target(t, "HTTP/1.1 204 No Content\r\n\r\n")
	post := example(url)
	change(&post)
	s := sender(t, func(c *outbound.Config) {
		c.UserAgent, c.Now = "Posthaste/1.0", func() time.Time { return time.Date(2026, 11, 27, 8, 30, 6, 0, time.UTC) }
		if config != nil {
			config(c)
		}
	})
	if result := s.Send(t.Context(), post); result.Error != failure.None {
		t.Fatalf("got %v", result)
	}
	head, body, _ = strings.Cut(<-got, "\r\n\r\n")
	address, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("\r\n", "\n", address.Host, "example.com").Replace(head) + "\n", body
}

// The examples of docs/example.md are what is sent, and its table names every
// header that the sender sets.
func TestExamplePage(t *testing.T) {
	t.Parallel()
	indented := func(body string) string {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
			t.Fatal(err)
		}
		return b.String() + "\n"
	}
	format := func(f webhook.Format) func(*webhook.Post) {
		return func(p *webhook.Post) { p.Webhook.Options.Format = f }
	}
	examples := map[string]string{}
	head, body := sent(t, nil, format(webhook.FormatSuperOffice))
	examples["superoffice"] = head + "\n" + indented(body)
	for _, f := range []webhook.Format{webhook.FormatStandard, webhook.FormatCloudEvents, webhook.FormatData} {
		head, body := sent(t, nil, format(f))
		_, rest, _ := strings.Cut(head, "Content-Type: ")
		media, _, _ := strings.Cut(rest, "\n")
		examples[string(f)] = "Content-Type: " + media + "\n\n" + indented(body)
	}
	_, body = sent(t, nil, func(p *webhook.Post) { p.Event.Name = "contact.deleted" })
	examples["deleted"] = indented(body)
	_, body = sent(t, func(c *outbound.Config) { c.OmitFieldValues = true }, func(*webhook.Post) {})
	examples["names"] = indented(body)
	_, body = sent(t, nil, func(p *webhook.Post) {
		p.Event.Name, p.Event.Data, p.Event.PrimaryKey, p.Event.ChangedBy = "webhook12.errors", nil, 12, 0
	})
	examples["state"] = indented(body)

	page := read(t, examplePage)
	for name, want := range examples {
		block := regexp.MustCompile("(?s)(<!-- example:" + name + " -->\n```[a-z]+\n)(.*?)```")
		m := block.FindStringSubmatchIndex(page)
		if m == nil {
			t.Errorf("%s has no example %s", examplePage, name)
			continue
		}
		if *update {
			page = page[:m[4]] + want + page[m[5]:]
		} else if diff := cmp.Diff(want, page[m[4]:m[5]]); diff != "" {
			t.Errorf("example %s; go test ./pkg/outbound -run ExamplePage -update rewrites it (-sent +page):\n%s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(examplePage, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	head, _ = sent(t, nil, func(p *webhook.Post) { p.Replay, p.Test, p.Webhook.Headers = true, true, nil })
	var set, listed []string
	for line := range strings.Lines(head) {
		if name, _, ok := strings.Cut(line, ": "); ok && name != "Host" && name != "Content-Length" {
			set = append(set, name)
		}
	}
	_, rest, _ := strings.Cut(page, "| header |")
	table, _, _ := strings.Cut(rest, "\n\n")
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z-]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed = append(listed, row[1])
	}
	slices.Sort(set)
	slices.Sort(listed)
	if diff := cmp.Diff(set, listed); diff != "" {
		t.Errorf("headers (-sent +listed in %s):\n%s", examplePage, diff)
	}
}

// A body is at most as large as the page says. Data at its limit that is almost
// all names is listed twice.
func TestSend_LargestBody(t *testing.T) {
	t.Parallel()
	const limit, most = 256 << 10, 550 << 10
	_, body := sent(t, nil, func(p *webhook.Post) {
		p.Event.Data = json.RawMessage(`{"` + strings.Repeat("n", limit-6) + `":0}`)
		p.Event.Name = strings.Repeat("e", 200)
		p.Webhook.Name = strings.Repeat("😀", 400)
		p.Webhook.Properties = json.RawMessage(`{"P":"` + strings.Repeat("p", 32<<10) + `"}`)
	})
	if len(body) > most || len(body) < most*97/100 {
		t.Errorf("%d bytes, want at most and about %d", len(body), most)
	}
	if !strings.Contains(read(t, examplePage), "550 KiB") {
		t.Errorf("%s does not say 550 KiB", examplePage)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
