package outbound

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sentBy returns what identifies a post that was built at a time.
func sentBy(post webhook.Post, body []byte, now time.Time) webhook.Sent {
	sent := webhook.Sent{Body: webhook.BodyMark(body), Replay: post.Replay}
	first, second := post.Secrets.InOrder(post.First, now)
	if first.IsZero() {
		return sent
	}
	sent.Signer, sent.Both = webhook.SignerCurrent, !second.IsZero()
	if sent.Both && post.First == webhook.SignerPrevious {
		sent.Signer = webhook.SignerPrevious
	}
	return sent
}

// Rebuild returns the POST of an attempt that began at a time, without sending it.
// It needs no secret: the post's Secrets, First and Replay do not matter, and the
// values of secret headers and the signatures are masked. sent says how the attempt
// was signed and marked. The target may be one that must not be called. The error is
// template.ErrTooLarge for an attempt that sent nothing because of it.
func (s *Sender) Rebuild(post webhook.Post, sent webhook.Sent, at time.Time) (delivery.Request, error) {
	post.Secrets, post.First, post.Replay = placeholders(post.Webhook, sent, at), sent.Signer, sent.Replay
	post.Webhook.Secret.Signed = sent.Signer != webhook.SignerNone
	body, header, _, err := s.build(post, at)
	if err != nil {
		return delivery.Request{}, err
	}
	request := delivery.Request{URL: post.Webhook.TargetURL, Body: body}
	host := ""
	if target, err := s.readTarget(post.Webhook.TargetURL); err == nil {
		request.URL, host = target.String(), target.Host
	} else if target, err := webhook.ParseTarget(post.Webhook.TargetURL); err == nil {
		host = target.Host
	}
	request.Headers = shownHeaders(header, host, len(body))
	return request, nil
}

// placeholders returns a document with as many secrets as signed an attempt. Only
// the positions of their signatures are shown.
func placeholders(w webhook.Webhook, sent webhook.Sent, at time.Time) webhook.SecretDocument {
	doc := webhook.SecretDocument{Headers: map[string]webhook.Secret{}}
	for _, h := range w.Headers {
		if h.Secret {
			doc.Headers[h.Name] = webhook.NewSecret(webhook.MaskedSecret)
		}
	}
	if sent.Signer != webhook.SignerNone {
		doc.Current = webhook.NewSecret(webhook.MaskedSecret)
	}
	if sent.Both {
		doc.Previous, doc.PreviousUntil = doc.Current, at.Add(time.Hour)
	}
	return doc
}

// shownHeaders returns headers as net/http writes them, with masked signatures.
func shownHeaders(header http.Header, host string, length int) []webhook.Header {
	shown := []webhook.Header{
		{Name: "Host", Value: host},
		{Name: "User-Agent", Value: header.Get("User-Agent")},
		{Name: "Content-Length", Value: strconv.Itoa(length)},
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			switch name {
			case "User-Agent":
				continue
			case "X-SuperOffice-Signature":
				value = webhook.MaskedSecret
			case "webhook-signature":
				value = maskedSignatures(value)
			}
			shown = append(shown, webhook.Header{Name: name, Value: value})
		}
	}
	return shown
}

// maskedSignatures masks each of Standard Webhooks' signatures.
func maskedSignatures(value string) string {
	entries := strings.Fields(value)
	for i := range entries {
		entries[i] = "v1," + webhook.MaskedSecret
	}
	return strings.Join(entries, " ")
}
