package httpapi

// healthz reports that the service runs. It does not check the stores.
func (a *api) healthz(*call) (reply, error) {
	return ok(struct{ Status, Version string }{"ok", a.Version}), nil
}

// egress publishes the addresses that POSTs come from, so that a receiver's firewall
// can be set up by a program. The list is empty if they are not fixed.
func (a *api) egress(*call) (reply, error) {
	return ok(struct{ Addresses []string }{append(make([]string, 0), a.EgressAddresses...)}), nil
}
