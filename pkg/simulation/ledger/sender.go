package ledger

// SuperOffice returns the X-SuperOffice-Signature with which a sender signs a body.
func SuperOffice(secret, body string) string { return superOffice(secret, body) }

// Standard returns the webhook-signature with which a sender of Standard Webhooks
// signs a body.
func Standard(secret, id, timestamp, body string) string {
	return standard(secret, id, timestamp, body)
}
