package httpapi

// serviceIndex is the response at the root of the service. Its links are the first
// addresses that a person or a program needs.
type serviceIndex struct {
	Service string
	Version string
	Links   serviceLinks `json:"_Links"`
}

type serviceLinks struct {
	OpenAPI  string `json:"OpenApi"`
	Webhooks string
	Health   string
}

func (serviceIndex) xmlName() string { return "Service" }

// root points to the API, its description and /healthz.
func (a *api) root(c *call) (reply, error) {
	base := a.base(c)
	return ok(serviceIndex{"Posthaste", a.Version, serviceLinks{
		OpenAPI: base + "/api/v1/openapi.json", Webhooks: base + "/api/v1/Webhook", Health: base + "/healthz",
	}}), nil
}
