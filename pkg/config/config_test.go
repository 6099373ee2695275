package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/config"
)

func env(pairs ...string) config.Lookup {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

var template = []string{
	"WEBHOOKS_TABLE", "w", "EVENTS_TABLE", "e", "DELIVERIES_TABLE", "d", "SECRET_PREFIX", "p/", "ROOT_SECRET", "r",
	"FIRST_CREDENTIAL_SECRET", "f", "ADMIN_SECRET", "a", "DELIVERY_QUEUE_URL", "q", "SLOW_QUEUE_URL", "s", "DEAD_LETTER_QUEUE_URL", "dlq", "FAILURE_BUCKET", "b",
}

func TestLoadLocal_Faults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  []string
		want []string
	}{
		{"an empty environment yields the defaults", nil, nil},
		{"a boolean must be true or false", []string{"ALLOW_HTTP", "yes"}, []string{`ALLOW_HTTP is "yes", must be true or false`}},
		{"every fault is reported", []string{"HTTP2", "1", "LOG_LEVEL", "loud"}, []string{`LOG_LEVEL is "loud", must be debug or info or warn or error`, `HTTP2 is "1", must be true or false`}},
		{"events are kept at least 14 days", []string{"EVENT_TTL_DAYS", "13"}, []string{`EVENT_TTL_DAYS is "13", must be a whole number of days from 14 to 3650`}},
		{"a tenant may have at least one webhook", []string{"WEBHOOKS_PER_TENANT", "0"}, []string{`WEBHOOKS_PER_TENANT is "0", must be a whole number from 1 to 100000`}},
		{"deliveries are kept at least 3 days longer", []string{"DELIVERY_EXTRA_DAYS", "2"}, []string{`DELIVERY_EXTRA_DAYS is "2", must be a whole number of days from 3 to 3650`}},
		{"listening on all addresses requires other credentials", []string{"ADDR", ":8080"}, []string{"FIRST_CREDENTIAL must be changed from the default if ADDR is not a loopback address", "ADMIN_CREDENTIAL must be changed from the default if ADDR is not a loopback address"}},
		{"with other credentials it may listen on any address", []string{"ADDR", ":8080", "FIRST_CREDENTIAL", "a:b", "ADMIN_CREDENTIAL", "c:d"}, nil},
		{"IPv6 loopback is loopback", []string{"ADDR", "[::1]:8080"}, nil},
		{"an address needs a port", []string{"ADDR", "localhost"}, []string{`ADDR is "localhost", must be host:port, such as 127.0.0.1:8080`}},
		{"a secret's value is not shown", []string{"FIRST_CREDENTIAL", "hunter2"}, []string{"FIRST_CREDENTIAL must be user:password"}},
		{"a URL's password is not shown", []string{"PUBLIC_URL", "https://u:hunter2@x"}, []string{"PUBLIC_URL must not contain a user or password"}},
		{"a network that holds link-local addresses is refused", []string{"ALLOWED_TARGET_CIDRS", "10.0.0.0/8, 0.0.0.0/0"}, []string{`ALLOWED_TARGET_CIDRS is "0.0.0.0/0", must be networks that do not overlap 169.254.0.0/16`}},
		{"an address is one", []string{"EGRESS_ADDRESSES", "203.0.113.7, 203.0.113.8/29, 2001:db8::/64, 203.0.113.9/29, nat"}, []string{
			`EGRESS_ADDRESSES is "203.0.113.9/29", must be addresses such as 203.0.113.7 and networks such as 203.0.113.8/29, comma-separated`,
			`EGRESS_ADDRESSES is "nat", must be addresses such as 203.0.113.7 and networks such as 203.0.113.8/29, comma-separated`,
		}},
		{"a duration has a unit", []string{"SHUTDOWN_TIMEOUT", "10"}, []string{`SHUTDOWN_TIMEOUT is "10", must be a positive duration such as 10s`}},
		{"a duration is positive", []string{"SHUTDOWN_TIMEOUT", "-1s"}, []string{`SHUTDOWN_TIMEOUT is "-1s", must be a positive duration such as 10s`}},
		{"an issuer needs an audience", []string{"OIDC_ISSUER", "https://id.example.com/"}, []string{"OIDC_AUDIENCE must be set if OIDC_ISSUER is"}},
		{"a misspelled variable of make is reported with the closest setting", []string{"MAKE_OVERRIDES", "ADRR DATA_DIR"}, []string{"ADRR is not a setting; the closest one is ADDR"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.LoadLocal(env(tt.env...))
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad_DefaultsDifferBetweenLocalAndDeployed(t *testing.T) {
	t.Parallel()
	local, err := config.LoadLocal(env())
	if err != nil {
		t.Fatal(err)
	}
	api, err := config.LoadAPI(env(template...))
	if err != nil {
		t.Fatal(err)
	}
	if !local.AllowHTTP || !local.AllowPrivate || local.RequireTargetCheck {
		t.Error("the local run must allow local targets")
	}
	if api.AllowHTTP || api.AllowPrivate || !api.RequireTargetCheck {
		t.Error("the deployed API must be strict")
	}
	if api.EventTTL != 30*24*time.Hour || api.Agent("1.2") != "Posthaste/1.2" {
		t.Errorf("EventTTL %v, agent %q", api.EventTTL, api.Agent("1.2"))
	}
}

func TestLoadDeployed_NamesMissingVariables(t *testing.T) {
	t.Parallel()
	loads := map[string]func(config.Lookup) error{
		"api":     func(l config.Lookup) error { _, err := config.LoadAPI(l); return err },
		"deliver": func(l config.Lookup) error { _, err := config.LoadDeliver(l); return err },
		"ingest":  func(l config.Lookup) error { _, err := config.LoadIngest(l); return err },
		"sweep":   func(l config.Lookup) error { _, err := config.LoadSweep(l); return err },
	}
	for name, load := range loads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := load(env(template...)); err != nil {
				t.Errorf("complete environment: %v", err)
			}
			if err := load(env()); err == nil || !strings.Contains(err.Error(), "EVENTS_TABLE is not set") {
				t.Errorf("empty environment: %v", err)
			}
		})
	}
}

func TestLoadDeliver_RefusesPrivateTargets(t *testing.T) {
	t.Parallel()
	if _, err := config.LoadDeliver(env(append([]string{"ALLOW_PRIVATE_TARGETS", "true"}, template...)...)); err == nil {
		t.Error("accepted")
	}
}

func TestLoad_OperationalBus(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:events:eu-west-1:111122223333:event-bus/operations"
	for _, tt := range []struct {
		name string
		env  []string
		want string
	}{
		{name: "off by default"},
		{name: "the bus and the stack", env: []string{"OPERATIONAL_BUS_ARN", arn, "STACK_NAME", "posthaste-prod"}},
		{name: "the events name the stack", env: []string{"OPERATIONAL_BUS_ARN", arn}, want: "STACK_NAME is not set"},
		{name: "a name is not an ARN", env: []string{"OPERATIONAL_BUS_ARN", "operations", "STACK_NAME", "s"}, want: `OPERATIONAL_BUS_ARN is "operations", must be the ARN of an event bus`},
		{name: "a topic is not a bus", env: []string{"OPERATIONAL_BUS_ARN", "arn:aws:sns:eu-west-1:111122223333:event-bus/x", "STACK_NAME", "s"}, want: "must be the ARN of an event bus"},
		{name: "an ARN has a region", env: []string{"OPERATIONAL_BUS_ARN", "arn:aws:events::111122223333:event-bus/x", "STACK_NAME", "s"}, want: "must be the ARN of an event bus"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all := env(append(tt.env, template...)...)
			deliver, err := config.LoadDeliver(all)
			sweep, sweepErr := config.LoadSweep(all)
			if tt.want == "" {
				var want config.Operational
				if tt.env != nil {
					want = config.Operational{BusARN: arn, Stack: "posthaste-prod"}
				}
				if err != nil || sweepErr != nil || deliver.Operational != want || sweep.Operational != want {
					t.Errorf("got %+v and %+v (%v, %v)", deliver.Operational, sweep.Operational, err, sweepErr)
				}
				return
			}
			if err == nil || sweepErr == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v and %v, want %q", err, sweepErr, tt.want)
			}
		})
	}
}

// UPDATE_README=1 rewrites the table instead of comparing it.
func TestReadmeHasTheTableOfSettings(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../README.md", "<!-- settings:begin -->\n", "<!-- settings:end -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Skip("no README yet")
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Skip("README has no markers for the table yet")
	}
	if os.Getenv("UPDATE_README") != "" {
		if err := os.WriteFile(path, []byte(before+begin+config.Markdown()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(config.Markdown(), table); diff != "" {
		t.Errorf("UPDATE_README=1 go test ./pkg/config rewrites it (-want +got):\n%s", diff)
	}
}

func TestLoadIngest_TenantMustBeValid(t *testing.T) {
	t.Parallel()
	for tenant, want := range map[string]string{"": "", "Cust1": "", "a b": `EVENT_TENANT is "a b", must be 1 to 64 characters of A-Z a-z 0-9 _ -`} {
		c, err := config.LoadIngest(env(append([]string{"EVENT_TENANT", tenant}, template...)...))
		if got := fmt.Sprint(err); want == "" && (err != nil || string(c.EventTenant) != tenant) || want != "" && got != want {
			t.Errorf("%q: got %+v, %v", tenant, c, err)
		}
	}
}

func TestLoadSweep_FailedChangesNeedTheFunctionThatTakesThem(t *testing.T) {
	t.Parallel()
	with := func(pairs ...string) string {
		_, err := config.LoadSweep(env(append(pairs, template...)...))
		return fmt.Sprint(err)
	}
	if got := with("CHANGE_FAILURE_BUCKET", "c", "INGEST_FUNCTION", "f"); got != "<nil>" {
		t.Errorf("got %s", got)
	}
	if got := with("CHANGE_FAILURE_BUCKET", "c"); got != "INGEST_FUNCTION is not set; the template passes it" {
		t.Errorf("got %s", got)
	}
}
