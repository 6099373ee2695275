package config

// Setting is one row of the table of settings: the source of every default, of
// the README's table, and of the names that make accepts on its command line.
type Setting struct {
	// Name is the environment variable.
	Name string
	// Local and Deployed are the defaults in the local run and in Lambda
	// functions. Absent means that the setting does not exist there.
	Local, Deployed string
	// Parameter is the parameter of template.yaml that sets it in a deployment;
	// empty if none does. A test compares these with the template.
	Parameter string
	// Meaning is a one-line description for the README.
	Meaning string
	// Secret means that errors never show the value.
	Secret bool
}

// Absent is the default of a setting that does not exist in that place.
const Absent = "–"

// DefaultCredential and DefaultAdmin are what a local run accepts by default.
// They are public, so the local run refuses them off loopback. Only LoadLocal
// uses them: the table below is part of every Lambda binary, which must not
// contain them.
const (
	DefaultCredential = "tje0:Tje0" //nolint:gosec // documented, and refused off loopback
	DefaultAdmin      = "admin:admin"
)

var settings = []Setting{
	{Name: "ADDR", Local: "127.0.0.1:8080", Deployed: Absent, Meaning: "host:port to listen on; off loopback it refuses to start with a default credential"},
	{Name: "DATA_DIR", Local: ".data", Deployed: Absent, Meaning: "folder of the embedded store"},
	{Name: "FIRST_CREDENTIAL", Deployed: Absent, Parameter: "FirstCredential", Meaning: "`user:password` of the first caller, in tenant Default; deployed, with a password of at least 24 characters, kept in Secrets Manager", Secret: true},
	{Name: "ADMIN_CREDENTIAL", Deployed: Absent, Meaning: "`user:password` of `/admin/v1`; deployed, the template generates it", Secret: true},
	{Name: "PUBLIC_URL", Parameter: "PublicUrl", Meaning: "base of `_Links`, with the base path of a custom domain; empty: the call's own scheme and Host"},
	{Name: "TARGET_CHECK", Local: "off", Deployed: "require", Parameter: "Stage", Meaning: "`require` a signed ping to succeed when a webhook is saved, or `off`; in the stage `dev` it is `off`"},
	{Name: "ALLOW_HTTP", Local: "true", Deployed: "false", Parameter: "Stage", Meaning: "accept http targets in addition to https; in the stage `dev` it is `true`"},
	{Name: "ALLOW_PRIVATE_TARGETS", Local: "true", Deployed: Absent, Meaning: "accept targets at private and loopback addresses; otherwise the local receiver is not served"},
	{Name: "ALLOWED_TARGET_CIDRS", Parameter: "AllowedTargetCidrs", Meaning: "comma-separated networks to allow in addition to public addresses, e.g. a VPC's; must not overlap 169.254.0.0/16"},
	{Name: "EGRESS_ADDRESSES", Parameter: "EgressAddresses", Meaning: "comma-separated public addresses that POSTs come from, for `GET /.well-known/posthaste-egress`; empty: not fixed"},
	{Name: "DELIVERY_POLICY", Local: "durable", Deployed: "durable", Parameter: "DeliveryPolicy", Meaning: "default of the webhook option `Policy`: `durable` or `superoffice`"},
	{Name: "EVENT_TTL_DAYS", Local: "30", Deployed: "30", Parameter: "EventTtlDays", Meaning: "days an event is kept; at least 14"},
	{Name: "DELIVERY_EXTRA_DAYS", Local: "3", Deployed: "3", Parameter: "DeliveryExtraDays", Meaning: "days a delivery is kept beyond its event; at least 3"},
	{Name: "EVENT_DATA", Local: "values", Deployed: "values", Parameter: "EventData", Meaning: "`values`, or `names` to send no FieldValues"},
	{Name: "SECRET_ON_READ", Local: "masked", Deployed: "masked", Parameter: "SecretOnRead", Meaning: "show a webhook's secret on reads: `masked` or `visible`"},
	{Name: "SECRET_STORE", Local: Absent, Deployed: "manager", Parameter: "SecretStore", Meaning: "where webhooks' secrets are written: `manager` (Secrets Manager, $0.40 a month each) or `sealed` (encrypted in the webhook's item); both are always read"},
	{Name: "WEBHOOKS_PER_TENANT", Local: "1000", Deployed: "1000", Parameter: "WebhooksPerTenant", Meaning: "webhooks a tenant may have; one more is refused with 409"},
	{Name: "UNKNOWN_TYPE", Local: "accept", Deployed: "accept", Parameter: "UnknownType", Meaning: "`accept` or `refuse` webhooks of a Type that is not built in"},
	{Name: "STRICT_ACCEPT", Local: "false", Deployed: "false", Parameter: "StrictAccept", Meaning: "respond with 406 to an Accept that cannot be served; `false`: respond with JSON"},
	{Name: "CONSOLE", Local: "true", Deployed: "true", Parameter: "Console", Meaning: "serve the web console at `/console`"},
	{Name: "USER_AGENT", Local: userAgent, Deployed: userAgent, Parameter: "UserAgent", Meaning: "User-Agent of deliveries"},
	{Name: "HTTP2", Local: "false", Deployed: "false", Parameter: "Http2", Meaning: "offer HTTP/2 to targets"},
	{Name: "OIDC_ISSUER", Parameter: "OidcIssuer", Meaning: "issuer URL of accepted bearer tokens; empty: none are accepted"},
	{Name: "OIDC_AUDIENCE", Parameter: "OidcAudience", Meaning: "audience a token must name; required with `OIDC_ISSUER`"},
	{Name: "OIDC_TENANT_CLAIM", Parameter: "OidcTenantClaim", Meaning: "claim that holds the tenant; empty: `tenant`"},
	{Name: "OIDC_USER_CLAIM", Parameter: "OidcUserClaim", Meaning: "claim that holds the user; empty: `sub`"},
	{Name: "OIDC_APP_CLAIM", Parameter: "OidcAppClaim", Meaning: "claim that holds the app; empty: `client_id`"},
	{Name: "OIDC_SCOPES_CLAIM", Parameter: "OidcScopesClaim", Meaning: "claim that holds the scopes, a list or a string; empty: `scope`"},
	{Name: "OPERATIONAL_BUS_ARN", Local: Absent, Parameter: "OperationalBusArn", Meaning: "ARN of an EventBridge bus that receives operational events, such as a disabled webhook; empty: none are sent; the local run logs them"},
	{Name: "EVENT_TENANT", Local: Absent, Parameter: "EventTenant", Meaning: "tenant that gets the events of an EventBridge bus that no source matches, with the default mapping; empty: they are skipped"},
	{Name: "LOG_LEVEL", Local: "info", Deployed: "info", Parameter: "LogLevel", Meaning: "`debug`, `info`, `warn` or `error`"},
	{Name: "SHUTDOWN_TIMEOUT", Local: "10s", Deployed: Absent, Meaning: "how long a stop waits for attempts in flight"},
}

// userAgent contains a placeholder for the build's version; see Sending.Agent.
const userAgent = "Posthaste/<version>"

func find(name string) (Setting, bool) {
	for _, s := range settings {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}
