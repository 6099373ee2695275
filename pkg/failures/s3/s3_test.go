package s3_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failures/s3"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var credentials = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "local", SessionToken: "session"}

// bucket is a fake S3 with one bucket, "failures".
type bucket struct {
	t *testing.T

	mu      sync.Mutex
	objects map[string]string
	// status is the response status of every call; 0 means S3's.
	status int
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status != 0 {
		w.WriteHeader(b.status)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
		return
	}
	key, ok := strings.CutPrefix(r.URL.Path, "/failures")
	if key = strings.TrimPrefix(key, "/"); !ok {
		b.t.Errorf("%s %s does not address the bucket", r.Method, r.URL.Path)
	}
	text, found := b.objects[key]
	switch {
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case key == "":
		b.list(w, r.URL.Query())
	case found:
		_, _ = io.WriteString(w, text)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
	}
}

func (b *bucket) list(w io.Writer, query url.Values) {
	type content struct{ Key string }
	var out struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Contents []content
	}
	var keys []string
	for key := range b.objects {
		if strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("start-after") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	limit, err := strconv.Atoi(query.Get("max-keys"))
	if err != nil || query.Get("list-type") != "2" {
		b.t.Errorf("query %v", query)
	}
	for _, key := range keys[:min(limit, len(keys))] {
		out.Contents = append(out.Contents, content{key})
	}
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		b.t.Error(err)
	}
}

func open(t *testing.T, objects map[string]string) (*s3.Failures, *bucket) {
	t.Helper()
	b := &bucket{t: t, objects: objects}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return &s3.Failures{Client: s3.NewClient(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL + "/"), HTTPClient: server.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}), Bucket: "failures", Decode: dynamo.DecodeStream}, b
}

// givenUp is an object as Lambda writes it, whose payload is a batch of the
// stream.
func givenUp(t *testing.T, payload string) string {
	t.Helper()
	template, err := os.ReadFile("testdata/invocation-record.json")
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(template), `"<payload>"`, string(quoted), 1)
}

const (
	oneEvent = `{"eventID":"1","eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":1772366399,"SequenceNumber":"7","NewImage":{` +
		`"pk":{"S":"T#Default#3"},"sk":{"S":"01234567-89ab-7fff-bfff-ffffffffffff"},"name":{"S":"contact.changed"},"data":{"S":"{\"a\":\"<Å>\"}"}}}}`
	aMarker = `{"eventName":"INSERT","dynamodb":{"SequenceNumber":"8","NewImage":{"pk":{"S":"K#Default#x"},"sk":{"S":"K"}}}}`
	noEvent = `{"eventName":"INSERT","dynamodb":{"SequenceNumber":"9","NewImage":{"pk":{"S":"T#Default#3"}}}}`
)

func key(n int) string {
	return fmt.Sprintf("aws/lambda/b1f6a1c3-1e0e-4c8e-9a53-2f2a8f6d1c11/shardId-00000001/2026/03/01/2026-03-01T11.59.%02d-a+b c", n)
}

func TestFailures_ListOpenRemove(t *testing.T) {
	t.Parallel()
	objects := map[string]string{"aws/other": "not ours", "x": ""}
	for n := range 3 {
		objects[key(n)] = givenUp(t, `{"Records":[`+oneEvent+`,`+aMarker+`]}`)
	}
	f, b := open(t, objects)
	names, err := f.List(t.Context(), "", 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{key(0), key(1)}, names); diff != "" {
		t.Errorf("a page (-want +got):\n%s", diff)
	}
	rest, err := f.List(t.Context(), names[1], 2)
	if diff := cmp.Diff([]string{key(2)}, rest); diff != "" || err != nil {
		t.Errorf("the next page, %v (-want +got):\n%s", err, diff)
	}
	records, err := f.Open(t.Context(), names[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1 || records[0].Event.Name != "contact.changed" || records[0].Accepted.Unix() != 1772366399 || string(records[0].Event.Data) != `{"a":"<Å>"}` {
		t.Errorf("got %+v, want only the event, with its time of acceptance", records)
	}
	for range 2 {
		if err := f.Remove(t.Context(), names[0]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Open(t.Context(), names[0]); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("after Remove: got %v, want ErrNotFound", err)
	}
	if len(b.objects) != 4 {
		t.Errorf("%d objects are left, want 4", len(b.objects))
	}
}

func TestFailures_OpenOfUnreadableObjects(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"invalid JSON": "x", "not an object": "[]", "no payload": `{"version":"1.0"}`, "a payload of null": `{"payload":null}`,
		"a payload that is not JSON": `{"payload":"x"}`, "a payload that is not a batch": `{"payload":"[]"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := open(t, map[string]string{key(1): text})
			_, err := f.Open(t.Context(), key(1))
			var invalid *webhook.ValidationError
			if !errors.As(err, &invalid) {
				t.Errorf("got %v, want a *ValidationError", err)
			}
		})
	}
	f, _ := open(t, map[string]string{key(1): givenUp(t, `{"Records":[`+noEvent+`,`+oneEvent+`]}`), key(2): `{"payload":{"Records":[` + oneEvent + `]}}`})
	records, err := f.Open(t.Context(), key(1))
	if err != nil || len(records) != 2 || records[0].Undecodable == nil || records[1].Event.Name == "" {
		t.Errorf("an unreadable record: got %+v, %v; want both, the first undecodable", records, err)
	}
	if records, err = f.Open(t.Context(), key(2)); err != nil || len(records) != 1 {
		t.Errorf("a payload that is not a string: got %+v, %v", records, err)
	}
}

func TestFailures_FaultsAreDistinguished(t *testing.T) {
	t.Parallel()
	for status, passes := range map[int]bool{500: true, 503: true, 429: true, 403: false, 400: false} {
		f, b := open(t, map[string]string{key(1): "{}"})
		b.status = status
		_, list := f.List(t.Context(), "", 1)
		_, open := f.Open(t.Context(), key(1))
		for call, err := range map[string]error{"List": list, "Open": open, "Remove": f.Remove(t.Context(), key(1))} {
			if err == nil || errors.Is(err, webhook.ErrUnavailable) != passes || strings.Contains(err.Error(), "session") {
				t.Errorf("%s, status %d: got %v, want a temporary fault: %v", call, status, err, passes)
			}
		}
	}
	f, b := open(t, nil)
	b.status = http.StatusNotFound
	if _, err := f.List(t.Context(), "", 1); err == nil || errors.Is(err, webhook.ErrNotFound) || errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("no such bucket: got %v, want a fault of the deployment", err)
	}
}
