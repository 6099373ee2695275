package httpapi

// healthz says that the service runs; it asks nothing of stores.
func (a *api) healthz(*call) (reply, error) {
	return ok(struct{ Status, Version string }{"ok", a.Version}), nil
}
