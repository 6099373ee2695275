package httpapi_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// seed stores webhooks with ids 1 to n directly, without the API.
func (s *server) seed(n int, make func(id int32) webhook.Webhook) {
	s.t.Helper()
	const writers = 256 // concurrent writers share a commit
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range (n + writers - 1 - i) / writers {
				id, err := s.db.Webhooks().NextID(s.t.Context(), "Default")
				if err == nil {
					err = s.db.Webhooks().Create(s.t.Context(), make(id))
				}
				if err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// numbered is a webhook in a list.
func numbered(id int32) webhook.Webhook {
	state := []webhook.State{webhook.StateActive, webhook.StateStopped, webhook.StateTooManyErrors}[id%3]
	return webhook.Webhook{
		Tenant: "Default", ID: id, Revision: 1, Name: fmt.Sprintf("Webhook %d", id%100), State: state, Type: "webhook",
		Events: []string{"contact.changed", fmt.Sprintf("custom.%d", id)}, TargetURL: fmt.Sprintf("https://example.com/%d", id),
		Registered: now, RegisteredBy: tje0.Associate, Updated: now, UpdatedBy: tje0.Associate,
	}
}

// listed returns the ids in a list.
func listed(t *testing.T, r io.Reader) (ids []int) {
	t.Helper()
	var list []struct{ WebhookID int }
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, w := range list {
		ids = append(ids, w.WebhookID)
	}
	return ids
}

// Decision 0.17: $top and $skip.
func TestList_FiltersAndPages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.seed(9, numbered)
	s.call("POST", "/api/v1/Webhook", `{"Name":"all of contact","Events":["Contact.*"],"TargetUrl":"https://example.com/"}`)
	for query, want := range map[string][]int{
		"":                        {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"?nameFilter=wEBHOOK%203": {3},
		"?nameFilter=Webhook":     nil,
		"?NAMEFILTER=&eventfilter=&statusFilter=":     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"?eventFilter=CUSTOM.4":                       {4},
		"?eventFilter=contact.changed":                {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"?eventFilter=contact.deleted":                {10},
		"?statusFilter=stopped":                       {1, 4, 7},
		"?statusFilter=3":                             {2, 5, 8},
		"?statusFilter=Unknown":                       {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"?statusFilter=Active&nameFilter=Webhook%203": {3},
		"?$top=2":                        {1, 2},
		"?$TOP=2&$Skip=3":                {4, 5},
		"?$skip=9":                       {10},
		"?$skip=100":                     nil,
		"?$top=0":                        nil,
		"?statusFilter=2&$top=1&$skip=1": {4},
	} {
		got := s.call("GET", "/api/v1/Webhook"+query, "")
		if diff := cmp.Diff(want, listed(t, got.Body)); got.Code != 200 || diff != "" {
			t.Errorf("%q: got %d, ids (-want +got):\n%s", query, got.Code, diff)
		}
	}
	for query, text := range map[string]string{
		"?statusFilter=Asleep":              "statusFilter must be one of",
		"?$top=-1":                          "$top must be an integer from 0 to 2147483647",
		"?$skip=x&$top=1.5&statusFilter=99": "statusFilter must be one of Unknown, Active, Stopped, TooManyErrors; $skip must be an integer from 0 to 2147483647; $top must be",
	} {
		if got := s.call("GET", "/api/v1/Webhook"+query, ""); got.Code != 400 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("%q: got %d %s, want 400 with %q", query, got.Code, got.Body, text)
		}
	}
	if got := s.call("POST", agent+"GetAllWebhooks?$skip=8", `{"EventFilter":"contact.changed"}`); !cmp.Equal(listed(t, got.Body), []int{9, 10}) {
		t.Errorf("the agent: got %d %s", got.Code, got.Body)
	}
}

// Decision 0.17: gzip.
func TestList_IsCompressedWhereAccepted(t *testing.T) {
	t.Parallel()
	s, visible := newServer(t), newServer(t, func(c *httpapi.Config) { c.SecretVisible = true })
	s.seed(20, numbered)
	visible.seed(20, numbered)
	for accept, want := range map[string]string{
		"":                      "",
		"gzip":                  "gzip",
		"br, GZIP;q=0.5":        "gzip",
		"*":                     "gzip",
		"gzip;q=0":              "",
		"gzip;q=0, *":           "",
		"*, gzip;q=0":           "",
		"gzip;q=x":              "",
		"identity, deflate, br": "",
	} {
		got := s.call("GET", "/api/v1/Webhook", "", "Accept-Encoding: "+accept)
		if coding := got.Header().Get("Content-Encoding"); coding != want || got.Header().Get("Vary") != "Accept, Accept-Encoding" {
			t.Errorf("%q: got %q, want %q; Vary is %q", accept, coding, want, got.Header().Get("Vary"))
		}
		if got := visible.call("GET", "/api/v1/Webhook", "", "Accept-Encoding: "+accept).Header().Get("Content-Encoding"); got != "" {
			t.Errorf("%q: secrets in clear were compressed", accept)
		}
	}
	for _, path := range []string{"/api/v1/Webhook?$top=1", "/api/v1/Webhook/1"} {
		if got := s.call("GET", path, "", "Accept-Encoding: gzip").Header().Get("Content-Encoding"); got != "" {
			t.Errorf("%s: a small response was compressed", path)
		}
	}
}

// Decision 0.17: a list that is too large for one response. A few webhooks with long
// strings are as large as 10,000 small ones, and fill several pages of the store.
func TestList_LargerThanAResponse(t *testing.T) {
	t.Parallel()
	const many = 1_200
	s := newServer(t)
	s.planted = true // validating megabytes against openapi.json takes too long
	s.seed(many, func(id int32) webhook.Webhook {
		w := numbered(id)
		w.Description = strings.Repeat("x", 5_000)
		return w
	})

	plain := s.call("GET", "/api/v1/Webhook", "")
	if plain.Code != 400 || !strings.Contains(plain.Body.String(), "$top and $skip") {
		t.Errorf("all at once: got %d and %d bytes, want 400 that says to page", plain.Code, plain.Body.Len())
	}
	compressed := s.call("GET", "/api/v1/Webhook", "", "Accept-Encoding: gzip")
	unzipped, err := gzip.NewReader(compressed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if ids := listed(t, unzipped); compressed.Code != 200 || len(ids) != many || ids[many-1] != many {
		t.Errorf("compressed: got %d and %d webhooks", compressed.Code, len(ids))
	}
	var paged []int
	for skip := 0; ; skip += 700 {
		page := s.call("GET", fmt.Sprintf("/api/v1/Webhook?$top=700&$skip=%d", skip), "")
		ids := listed(t, page.Body)
		if paged = append(paged, ids...); len(ids) < 700 {
			break
		}
	}
	if len(paged) != many || paged[0] != 1 || paged[many-1] != many {
		t.Errorf("in pages: got %d webhooks", len(paged))
	}
	const filters = "nameFilter=Webhook%207&eventFilter=contact.changed&statusFilter=Stopped"
	if got := listed(t, s.call("GET", "/api/v1/Webhook?"+filters, "").Body); !cmp.Equal(got, []int{7, 307, 607, 907}) {
		t.Errorf("%s: got %v", filters, got)
	}

	if got := s.call("POST", "/api/v1/Webhook", minimal); got.Code != 200 || !strings.Contains(got.Body.String(), `{"WebhookId":1201,`) {
		t.Errorf("create: got %d %s", got.Code, got.Body)
	}
	if got := s.call("PUT", "/api/v1/Webhook/1000", strings.Replace(minimal, `"n"`, `"renamed"`, 1)); got.Code != 200 {
		t.Errorf("put: got %d %s", got.Code, got.Body)
	}
	if got := listed(t, s.call("GET", "/api/v1/Webhook?nameFilter=renamed", "").Body); !cmp.Equal(got, []int{1_000}) {
		t.Errorf("after the put: got %v", got)
	}
}

// A list that does not fit into memory is refused before it is complete.
func TestList_TooLargeEvenCompressed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.planted = true
	s.seed(13, func(id int32) webhook.Webhook {
		w := numbered(id)
		w.Description = strings.Repeat("x", 2<<20) // more than the API accepts, so that a few suffice
		return w
	})
	if got := s.call("GET", "/api/v1/Webhook", "", "Accept-Encoding: gzip"); got.Code != 400 || !strings.Contains(got.Body.String(), "$top and $skip") {
		t.Errorf("got %d and %d bytes, want 400 that says to page", got.Code, got.Body.Len())
	}
	if got := s.call("GET", "/api/v1/Webhook?$top=2", ""); got.Code != 200 {
		t.Errorf("a page: got %d %s", got.Code, got.Body)
	}
	if got := s.call("POST", agent+"GetAllWebhooks", "null"); got.Code != 400 || !strings.Contains(got.Body.String(), `"ErrorMessage":"the list is too large`) {
		t.Errorf("the agent: got %d %.200s", got.Code, got.Body)
	}
}

// A list compares every webhook with a filter that may be as long as a body.
func TestList_FoldsItsFilterOnce(t *testing.T) {
	w := webhook.Webhook{Events: []string{"contact.changed", "sale.*"}}
	if got := httpapi.ListFilterAllocs(strings.Repeat("É", 1000)+".x", w); got > 0 {
		t.Errorf("matching one webhook takes %.0f allocations", got)
	}
}
