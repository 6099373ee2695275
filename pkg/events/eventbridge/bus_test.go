package eventbridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseventbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/events/eventbridge"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// client is a fake EventBridge.
type client struct {
	entries []types.PutEventsRequestEntry
	out     awseventbridge.PutEventsOutput
	err     error
}

func (c *client) PutEvents(_ context.Context, in *awseventbridge.PutEventsInput, _ ...func(*awseventbridge.Options)) (*awseventbridge.PutEventsOutput, error) {
	c.entries = append(c.entries, in.Entries...)
	return &c.out, c.err
}

const arn = "arn:aws:events:eu-west-1:111122223333:event-bus/operations"

func bus(c *client) *eventbridge.Bus {
	return &eventbridge.Bus{Client: c, ARN: arn, Stack: "posthaste-prod"}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// documented are the notices of the examples.
var documented = []notice.Notice{
	{
		Kind: notice.Failing, At: at("2026-11-24T08:01:12Z"), Since: at("2026-11-24T08:01:00Z"), Tenant: "Cust1", Webhook: 7,
		Name: "Orders to ERP", Host: "hooks.example.com", Count: 10, Error: notice.Class(failure.Status), Status: 503,
	},
	{
		Kind: notice.Disabled, At: at("2026-11-29T08:01:12Z"), Since: at("2026-11-24T08:01:00Z"), Tenant: "Cust1", Webhook: 7,
		Name: "Orders to ERP", Host: "hooks.example.com", Count: 132, Error: notice.Class(failure.TLS),
	},
	{Kind: notice.DeadLetter, At: at("2026-11-24T08:02:00Z"), Count: 2, Error: notice.Unreadable},
	{Kind: notice.SourceSilent, At: at("2026-11-24T09:00:00Z"), Since: at("2026-11-24T08:00:00Z"), Tenant: "Cust1", Source: "orders"},
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/operational-events.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fenced = regexp.MustCompile("(?s)```json\n(.*?)```")

// As EventBridge shows an entry to the target of a rule.
func delivered(t *testing.T, e types.PutEventsRequestEntry) string {
	t.Helper()
	text, err := json.MarshalIndent(struct {
		Version    string          `json:"version"`
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Time       time.Time       `json:"time"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}{
		"0", "6a7e8feb-b491-4cf7-a9f1-bf3703467718", *e.DetailType, *e.Source, "111122223333", *e.Time, "eu-west-1", []string{}, json.RawMessage(*e.Detail),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func TestDocs_ExamplesAreWhatIsPut(t *testing.T) {
	t.Parallel()
	c := &client{}
	if err := bus(c).Notify(t.Context(), documented); err != nil {
		t.Fatal(err)
	}
	examples := fenced.FindAllStringSubmatch(document(t), -1)
	if len(examples) != len(documented)+1 {
		t.Fatalf("the document has %d examples, want %d and a pattern", len(examples), len(documented))
	}
	for i, e := range c.entries {
		if *e.EventBusName != arn {
			t.Errorf("put on %s", *e.EventBusName)
		}
		if diff := cmp.Diff(delivered(t, e), examples[i][1]); diff != "" {
			t.Errorf("%s (-code +document):\n%s", *e.DetailType, diff)
		}
	}
	if want := fmt.Sprintf("{\"source\": [%q]}\n", eventbridge.Source); examples[len(documented)][1] != want {
		t.Errorf("the pattern is %s, want %s", examples[len(documented)][1], want)
	}
}

// first lists the first cell of each row of a table between two marks.
func first(t *testing.T, mark string) (cells []string) {
	t.Helper()
	_, rest, _ := strings.Cut(document(t), "<!-- "+mark+":begin -->\n")
	table, _, found := strings.Cut(rest, "<!-- "+mark+":end -->")
	if !found {
		t.Fatalf("the document has no table %s", mark)
	}
	for _, row := range strings.Split(strings.TrimSpace(table), "\n")[2:] {
		cells = append(cells, strings.Trim(strings.Split(row, "|")[1], " `"))
	}
	return cells
}

func TestDocs_TablesAreComplete(t *testing.T) {
	t.Parallel()
	kinds := []string{
		string(notice.Failing), string(notice.Recovered), string(notice.Disabled), string(notice.DeadLetter),
		string(notice.SourceFailing), string(notice.SourceSilent),
	}
	if diff := cmp.Diff(kinds, first(t, "kinds")); diff != "" {
		t.Errorf("kinds (-code +document):\n%s", diff)
	}
	c := &client{}
	full := notice.Notice{Kind: "k", Tenant: "t", Webhook: 1, Name: "n", Host: "h", Source: "s", Since: at("2026-11-24T08:00:00Z"), Count: 1, Error: "e", Status: 1}
	if err := bus(c).Notify(t.Context(), []notice.Notice{full}); err != nil {
		t.Fatal(err)
	}
	var members []string
	d := json.NewDecoder(strings.NewReader(*c.entries[0].Detail))
	for depth := 0; d.More() || depth == 0; depth++ {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if name, ok := token.(string); ok && depth%2 == 1 {
			members = append(members, name)
		}
	}
	if diff := cmp.Diff(members, first(t, "members")); diff != "" {
		t.Errorf("members (-code +document):\n%s", diff)
	}
	for _, class := range []failure.Kind{
		failure.DNS, failure.Refused, failure.Reset, failure.TLS, failure.Timeout, failure.Blocked, failure.Redirect,
		failure.Status, failure.Protocol, failure.TooLarge, failure.Body, failure.Secret, failure.Aborted, failure.Internal,
		failure.Kind(notice.Unreadable), failure.Kind(notice.Received),
	} {
		if !strings.Contains(document(t), "`"+string(class)+"`") {
			t.Errorf("the document does not name the error %s", class)
		}
	}
	// A member of Notice that no event shows would be missing above.
	if n := reflect.TypeFor[notice.Notice]().NumField(); len(members) != n {
		t.Errorf("a notice has %d members, besides Kind and At; an event has %d, besides Stack and Advice", n-2, len(members)-2)
	}
}

// Rules of our own exclude what begins with the prefix.
func TestBus_ItsEventsNeverComeBack(t *testing.T) {
	t.Parallel()
	c := &client{}
	if err := bus(c).Notify(t.Context(), documented); err != nil {
		t.Fatal(err)
	}
	for _, e := range c.entries {
		b, err := source.ParseBus([]byte(delivered(t, e)))
		if err != nil {
			t.Fatal(err)
		}
		if out := source.DefaultBus("Default").FromBus(b, at("2026-11-24T09:00:00Z")); out.Skip != source.ReasonOwn {
			t.Errorf("%s becomes %+v", *e.DetailType, out)
		}
	}
}

func TestBus_ErrorsHoldCodesAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*client{
		"put operational events: AccessDeniedException: ": {err: &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "secret"}},
		"put operational events: no response: ":           {err: errors.New("dial: secret")},
		"put operational events: 1 of 2: InternalFailure: ": {out: awseventbridge.PutEventsOutput{FailedEntryCount: 1, Entries: []types.PutEventsResultEntry{
			{EventId: aws.String("1")}, {ErrorCode: aws.String("InternalFailure"), ErrorMessage: aws.String("secret")},
		}}},
	} {
		err := bus(c).Notify(t.Context(), documented[:2])
		if !errors.Is(err, webhook.ErrUnavailable) || err.Error() != name+webhook.ErrUnavailable.Error() {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}
