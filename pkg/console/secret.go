package console

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// newSecret draws a secret of the form that Standard Webhooks defines.
func (v *visit) newSecret() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(v.Random, b[:]); err != nil {
		return "", fmt.Errorf("draw a secret: %w", err)
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:]), nil
}

// askRotation explains what a new secret does.
func (v *visit) askRotation() (g.Node, error) {
	return v.ask("New secret for", "Make a new secret", "secret", nil,
		"POSTs are signed with the new secret from then on. For a day they carry the signature of the old one too, so that the receiver can change over.",
		"The new secret is shown once.")
}

func (v *visit) rotateSecret() (g.Node, error) {
	secret, err := v.newSecret()
	if err != nil {
		return nil, err
	}
	var changed hook
	if err := v.api.send(http.MethodPatch, "Webhook/"+url.PathEscape(v.r.PathValue("id")), map[string]any{"Secret": secret}, &changed); err != nil {
		return nil, err
	}
	return v.showSecret(changed, secret, "The new secret is in force. The old one is valid for another day."), nil
}

// showSecret shows a secret, once, with what verifies its signatures.
func (v *visit) showSecret(w hook, secret, said string) g.Node {
	var shown []g.Node
	for _, s := range snippets {
		shown = append(shown, h.Details(h.Summary(g.Text(s.language)), h.Pre(g.Text(s.code))))
	}
	return v.frame("Secret of "+w.title(), "Webhooks",
		crumbs(link("/webhooks", "Webhooks"), link(w.path(), w.title()), h.Span(g.Text("Secret"))),
		h.H1(g.Text("Secret of "+w.title())),
		notice("good", said),
		h.Div(h.Class("card"),
			h.P(g.Text("Store it now: it is not shown again.")),
			h.Pre(h.ID("secret"), g.Text(secret)),
			h.Button(h.Type("button"), h.Data("copy", "secret"), g.Attr("hidden"), g.Text("Copy")),
		),
		h.H2(g.Text("Verify the signature")), g.Group(shown),
		h.P(h.A(h.Class("button primary"), h.Href(Path+w.path()), g.Text("Done"))))
}

// snippet verifies a POST in a language. Tests run each.
type snippet struct{ language, code string }

var snippets = []snippet{
	{"Node", `import { createHmac, timingSafeEqual } from "node:crypto";

// body is the request's body as a Buffer, before it is parsed.
export function verify(secret, headers, body) {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signed = headers["webhook-id"] + "." + headers["webhook-timestamp"] + "." + body;
  const want = createHmac("sha256", key).update(signed).digest();
  const recent = Math.abs(Date.now() / 1000 - headers["webhook-timestamp"]) < 300;
  return recent && headers["webhook-signature"].split(" ").some((s) => {
    const got = Buffer.from(s.replace("v1,", ""), "base64");
    return got.length === want.length && timingSafeEqual(got, want);
  });
}
`},
	{"Python", `import base64, hashlib, hmac, time

# body is the request's body as bytes, before it is parsed.
def verify(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return recent and any(hmac.compare_digest(s, "v1," + want) for s in headers["webhook-signature"].split())
`},
	{"Go", `// verify reports whether a POST is signed with the secret. body is the request's
// body, before it is parsed.
func verify(secret string, header http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	at, atErr := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if age := time.Since(time.Unix(at, 0)).Abs(); err != nil || atErr != nil || age > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), at, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, got := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return true
		}
	}
	return false
}
`},
}
