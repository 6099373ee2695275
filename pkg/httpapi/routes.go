package httpapi

import (
	"net/http"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// route is one operation. A GET route also serves HEAD.
type route struct {
	method  string
	pattern string // as documented; a segment {name} is a wildcard
	// scope is the scope that the credential must have; open needs no credential.
	scope  webhook.Scope
	handle func(*call) (reply, error)
	// fail turns an error into a response. nil: as for all of REST (errors.go).
	fail func(*call, error) reply
}

// open marks routes that need no credential.
const open webhook.Scope = ""

// routes returns the whole API. Literals are case-insensitive, a trailing slash
// is optional, and a literal beats a wildcard.
func (a *api) routes() []route {
	const (
		get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete

		webhooks, read, events, admin = webhook.ScopeWebhooks, webhook.ScopeRead, webhook.ScopeEvents, webhook.ScopeAdmin
	)
	table := []route{
		{get, "/", open, a.root, nil},
		{get, "/healthz", open, a.healthz, nil},
		{get, "/.well-known/posthaste-egress", open, a.egress, nil},
		{get, "/api/v1/openapi.json", open, a.describeAPI, nil},

		{post, "/api/v1/Session", open, a.startSession, nil}, // checks its own credential
		{del, "/api/v1/Session", open, a.endSession, nil},

		{get, "/admin/v1/Jobs", admin, a.listJobs, nil},
		{get, "/admin/v1/Jobs/{job}", admin, a.getJob, nil},
		{del, "/admin/v1/Jobs/{job}", admin, a.cancelJob, nil},
		{post, "/admin/v1/SecretRoot/Rotate", admin, a.rotateRoot, nil},
		{post, "/admin/v1/SecretStore/Move", admin, a.moveSecrets, nil},
		{post, "/admin/v1/Redispatch", admin, a.redispatch, nil},
		{get, "/admin/v1/Redispatch/{job}", admin, a.getRedispatch, nil},
		{del, "/admin/v1/Redispatch/{job}", admin, a.cancelRedispatch, nil},
		{get, "/admin/v1/Sources", admin, a.listSources, nil},
		{post, "/admin/v1/Sources", admin, a.createSource, nil},
		{get, "/admin/v1/Sources/{name}", admin, a.getSource, nil},
		{put, "/admin/v1/Sources/{name}", admin, a.replaceSource, nil},
		{del, "/admin/v1/Sources/{name}", admin, a.deleteSource, nil},
		{post, "/admin/v1/Sources/{name}/Test", admin, a.testSource, nil},
		{del, "/admin/v1/Sources/{name}/PreviousSecret", admin, a.endSourceOverlap, nil},
		{get, "/admin/v1/Tenants", admin, a.listTenants, nil},
		{post, "/admin/v1/Tenants", admin, a.createTenant, nil},
		{del, "/admin/v1/Tenants/{tenant}", admin, a.deleteTenant, nil},
		{get, "/admin/v1/Tenants/{tenant}/Export", admin, a.exportTenant, nil},
		{get, "/admin/v1/Tenants/{tenant}/Credentials", admin, a.listCredentials, nil},
		{post, "/admin/v1/Tenants/{tenant}/Credentials", admin, a.createCredential, nil},
		{del, "/admin/v1/Tenants/{tenant}/Credentials/{id}", admin, a.revokeCredential, nil},

		{get, "/api/v1/Webhook/default", read, a.defaultWebhook, nil},
		{get, "/api/v1/Webhook", read, a.listWebhooks, nil},
		{post, "/api/v1/Webhook", webhooks, a.createWebhook, nil},
		{get, "/api/v1/Webhook/{id}", read, a.getWebhook, nil},
		{put, "/api/v1/Webhook/{id}", webhooks, a.putWebhook, nil},
		{patch, "/api/v1/Webhook/{id}", webhooks, a.patchWebhook, nil},
		{del, "/api/v1/Webhook/{id}", webhooks, a.deleteWebhook, nil},
		{post, "/api/v1/Webhook/Test", webhooks, a.testWebhook, nil},
		{get, "/api/v1/Webhook/{id}/LastError", read, a.lastError, nil},
		{get, "/api/v1/Webhook/{id}/Options", read, a.getOptions, nil},
		{put, "/api/v1/Webhook/{id}/Options", webhooks, a.putOptions, nil},
		{patch, "/api/v1/Webhook/{id}/Options", webhooks, a.patchOptions, nil},
		{post, "/api/v1/Webhook/{id}/Options/Preview", webhooks, a.previewOptions, nil},
		{del, "/api/v1/Webhook/{id}/PreviousSecret", webhooks, a.endOverlap, nil},
		{get, "/api/v1/Webhook/{id}/Deliveries", read, a.listDeliveries, nil},
		{get, "/api/v1/Webhook/{id}/Deliveries/{eventId}", read, a.getDelivery, nil},
		{post, "/api/v1/Webhook/{id}/Deliveries/{eventId}/Retry", webhooks, a.retryDelivery, nil},
		{post, "/api/v1/Webhook/{id}/Replay", webhooks, a.beginReplay, nil},
		{get, "/api/v1/Webhook/{id}/Replay", read, a.listReplays, nil},
		{get, "/api/v1/Webhook/{id}/Replay/{job}", read, a.getReplay, nil},
		{del, "/api/v1/Webhook/{id}/Replay/{job}", webhooks, a.cancelReplay, nil},
		{get, "/api/v1/Webhook/{id}/History", read, a.getHistory, nil},
		{get, "/api/v1/Webhook/{id}/Stats", read, a.getStats, nil},
		{get, "/api/v1/Stats", read, a.listStats, nil},
		{get, "/api/v1/Webhook/{id}/Deliveries/{eventId}/Request", read, a.getRequest, nil},
		{post, "/api/v1/Webhook/{event}/{primaryKey}", events, a.signalEvent, nil},
		{post, "/api/v1/Events", events, a.submitEvents, nil},
		{get, "/api/v1/Events", read, a.listEvents, nil},
		{get, "/api/v1/EventNames", read, a.listEventNames, nil},
		{get, "/api/v1/Events/{eventId}", read, a.getEvent, nil},
		{get, "/api/v1/Events/{eventId}/Explain", read, a.explainEvent, nil},
		{post, "/api/v1/Explain", read, a.explainHypothetical, nil},
		{get, "/api/v1/Archive/dynamic", read, a.queryArchive, nil},

		{post, agentPath + "CreateDefaultWebhook", webhooks, a.defaultWebhook, agentFailed},
		{post, agentPath + "SaveWebhook", webhooks, a.agentSave, agentFailed},
		{post, agentPath + "DeleteWebhook", webhooks, a.agentDelete, agentFailed},
		{post, agentPath + "GetWebhook", webhooks, a.agentGet, agentFailed},
		{post, agentPath + "GetAllWebhooks", webhooks, a.agentList, agentFailed},
		{post, agentPath + "TestWebhook", webhooks, a.agentTest, agentFailed},
		{post, agentPath + "SignalEvent", events, a.agentSignal, agentFailed},
		{post, agentPath + "GetLastError", webhooks, a.agentLastError, agentFailed},
	}
	for _, r := range table {
		if operation, ofAgent := strings.CutPrefix(r.pattern, agentPath); ofAgent {
			scope := r.scope
			if scope == webhooks {
				scope = read
			}
			table = append(table, route{get, r.pattern, scope, describe(operation), nil})
		}
	}
	return table
}
