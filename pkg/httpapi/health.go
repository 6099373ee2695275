package httpapi

// healthz reports that the service runs. It does not check the stores.
func (a *api) healthz(*call) (reply, error) {
	return ok(struct{ Status, Version string }{"ok", a.Version}), nil
}
