package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Targets holds the rules for target addresses; the API and the senders must
// agree on them.
type Targets struct {
	AllowHTTP bool
	// AllowPrivate is always false in a deployed function.
	AllowPrivate bool
	AllowedCIDRs []netip.Prefix
}

// Sending configures functions that make attempts or pings.
type Sending struct {
	Targets
	// UserAgent may contain "<version>", which Agent replaces.
	UserAgent string
	HTTP2     bool
	// OmitFieldValues is EVENT_DATA=names.
	OmitFieldValues bool
	// RuntimeAPI is the host:port of Lambda's Runtime API, which is never a
	// target. Empty in the local run.
	RuntimeAPI string
}

// Agent returns the User-Agent of a build.
func (s Sending) Agent(version string) string {
	return strings.ReplaceAll(s.UserAgent, "<version>", version)
}

// Delivering configures functions that write deliveries.
type Delivering struct {
	Policy        webhook.Policy
	EventTTL      time.Duration // how long an event is kept
	DeliveryExtra time.Duration // how much longer its deliveries are kept
}

// RowLife returns how long a delivery row is kept after its last write.
func (d Delivering) RowLife() time.Duration { return d.EventTTL + d.DeliveryExtra }

// Serving configures the API, deployed or local.
type Serving struct {
	PublicURL          string // "": the call's own scheme and Host
	RequireTargetCheck bool
	SecretVisible      bool
	RefuseUnknownTypes bool
	WebhooksPerTenant  int // at most
	StrictAccept       bool
	Console            bool // serve the web console
	OIDC               OIDC
	// EgressAddresses are the public addresses, or networks, that POSTs come from.
	// Empty: any of the cloud's.
	EgressAddresses []string
}

// OIDC describes accepted bearer tokens. Without an Issuer none are accepted.
// An empty claim name means auth's default.
type OIDC struct {
	Issuer, Audience                              string
	TenantClaim, UserClaim, AppClaim, ScopesClaim string
}

// Operational configures where operational events go.
type Operational struct {
	BusARN string // of the EventBridge bus; empty: nowhere
	Stack  string // the name of this deployment in the events
}

// Tables holds the names of the DynamoDB tables.
type Tables struct{ Webhooks, Events, Deliveries string }

// Deployed holds the settings of every Lambda function.
type Deployed struct {
	LogLevel     slog.Level
	Tables       Tables
	SecretPrefix string // of the names in Secrets Manager
	// RootSecret is the name or ARN of the secret with the root keys of sealed secrets.
	RootSecret string
	// WriteSealed is SECRET_STORE=sealed.
	WriteSealed bool
	Delivering
}

// Level returns the minimum level that is logged.
func (d Deployed) Level() slog.Level { return d.LogLevel }

func (r *reader) targets() Targets {
	t := Targets{AllowHTTP: r.boolean("ALLOW_HTTP"), AllowedCIDRs: r.cidrs("ALLOWED_TARGET_CIDRS")}
	if !r.deployed {
		t.AllowPrivate = r.boolean("ALLOW_PRIVATE_TARGETS")
	} else if v := r.optional("ALLOW_PRIVATE_TARGETS"); v != "" {
		r.invalid("ALLOW_PRIVATE_TARGETS", v, "unset: it exists only in the local run")
	}
	return t
}

func (r *reader) sending() Sending {
	s := Sending{
		Targets: r.targets(), UserAgent: r.text("USER_AGENT"), HTTP2: r.boolean("HTTP2"),
		OmitFieldValues: r.oneOf("EVENT_DATA", "values", "names") == "names",
		RuntimeAPI:      r.optional("AWS_LAMBDA_RUNTIME_API"),
	}
	if strings.ContainsFunc(s.UserAgent, func(c rune) bool { return c < ' ' || c > '~' }) {
		r.invalid("USER_AGENT", s.UserAgent, "printable ASCII")
	}
	return s
}

func (r *reader) eventTenant() webhook.Tenant {
	tenant := webhook.Tenant(r.text("EVENT_TENANT"))
	if tenant != "" && !tenant.Valid() {
		r.invalid("EVENT_TENANT", string(tenant), "1 to 64 characters of A-Z a-z 0-9 _ -")
	}
	return tenant
}

func (r *reader) delivering() Delivering {
	return Delivering{
		Policy:        webhook.Policy(r.oneOf("DELIVERY_POLICY", string(webhook.PolicyDurable), string(webhook.PolicySuperOffice))),
		EventTTL:      r.days("EVENT_TTL_DAYS", 14),
		DeliveryExtra: r.days("DELIVERY_EXTRA_DAYS", 3),
	}
}

func (r *reader) serving() Serving {
	s := Serving{
		PublicURL:          strings.TrimSuffix(r.url("PUBLIC_URL"), "/"),
		RequireTargetCheck: r.oneOf("TARGET_CHECK", "require", "off") == "require",
		SecretVisible:      r.oneOf("SECRET_ON_READ", "masked", "visible") == "visible",
		RefuseUnknownTypes: r.oneOf("UNKNOWN_TYPE", "accept", "refuse") == "refuse",
		StrictAccept:       r.boolean("STRICT_ACCEPT"),
		Console:            r.boolean("CONSOLE"),
		EgressAddresses:    r.addresses("EGRESS_ADDRESSES"),
		WebhooksPerTenant:  r.number("WEBHOOKS_PER_TENANT", 100_000),
		// Issuers are compared literally, so the trailing slash stays.
		OIDC: OIDC{
			Issuer: r.url("OIDC_ISSUER"), Audience: r.text("OIDC_AUDIENCE"),
			TenantClaim: r.text("OIDC_TENANT_CLAIM"), UserClaim: r.text("OIDC_USER_CLAIM"),
			AppClaim: r.text("OIDC_APP_CLAIM"), ScopesClaim: r.text("OIDC_SCOPES_CLAIM"),
		},
	}
	if s.OIDC.Issuer != "" && s.OIDC.Audience == "" {
		r.errs = append(r.errs, errors.New("OIDC_AUDIENCE must be set if OIDC_ISSUER is"))
	}
	return s
}

func (r *reader) operational() Operational {
	o := Operational{BusARN: r.text("OPERATIONAL_BUS_ARN")}
	if o.BusARN == "" {
		return o
	}
	// arn:<partition>:events:<region>:<account>:event-bus/<name>
	parts := strings.Split(o.BusARN, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "events" || parts[3] == "" || parts[4] == "" || !strings.HasPrefix(parts[5], "event-bus/") {
		r.invalid("OPERATIONAL_BUS_ARN", o.BusARN, "the ARN of an event bus, such as arn:aws:events:eu-west-1:111122223333:event-bus/operations")
	}
	o.Stack = r.required("STACK_NAME")
	return o
}

func (r *reader) common() Deployed {
	d := Deployed{LogLevel: r.level("LOG_LEVEL"), SecretPrefix: r.required("SECRET_PREFIX"), Delivering: r.delivering()}
	d.RootSecret, d.WriteSealed = r.required("ROOT_SECRET"), r.oneOf("SECRET_STORE", "manager", "sealed") == "sealed"
	d.Tables = Tables{Webhooks: r.required("WEBHOOKS_TABLE"), Events: r.required("EVENTS_TABLE"), Deliveries: r.required("DELIVERIES_TABLE")}
	return d
}
