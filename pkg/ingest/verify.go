package ingest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The headers that a sender signs with. Names as net/http spells them.
const (
	headerSuperOffice       = "X-Superoffice-Signature"
	headerStandardID        = "Webhook-Id"
	headerStandardTimestamp = "Webhook-Timestamp"
	headerStandardSignature = "Webhook-Signature"
)

// tolerance is how far a sender's clock may differ from ours.
const tolerance = 5 * time.Minute

// fault says why a POST does not verify, to administrators only. Empty: it does.
type fault string

const (
	faultHeader    fault = "a signature header is missing or repeated"
	faultTimestamp fault = "webhook-timestamp is not within 5 minutes of the current time"
	faultSignature fault = "the signature does not verify"
)

// verify checks a POST's headers against the secrets of a source that are valid
// at now: the current one, and the previous one during a rotation.
func verify(p source.Protocol, secrets webhook.SecretDocument, header http.Header, body []byte, now time.Time) fault {
	check := verifySuperOffice
	if p == source.ProtocolStandard {
		check = verifyStandard
	}
	current, previous := secrets.InOrder(webhook.SignerCurrent, now)
	why := check(current.Reveal(), header, body, now)
	if why == faultSignature && !previous.IsZero() {
		why = check(previous.Reveal(), header, body, now)
	}
	return why
}

func verifySuperOffice(secret string, header http.Header, body []byte, _ time.Time) fault {
	signed, ok := single(header, headerSuperOffice)
	switch {
	case !ok:
		return faultHeader
	case !signature.VerifySuperOffice(secret, body, signed):
		return faultSignature
	}
	return ""
}

func verifyStandard(secret string, header http.Header, body []byte, now time.Time) fault {
	id, okID := single(header, headerStandardID)
	seconds, okSeconds := single(header, headerStandardTimestamp)
	list, okList := single(header, headerStandardSignature)
	if !okID || !okSeconds || !okList {
		return faultHeader
	}
	// API Gateway joins repeated headers with commas. An entry has exactly one.
	for entry := range strings.FieldsSeq(list) {
		if strings.Count(entry, ",") != 1 {
			return faultHeader
		}
	}
	switch err := signature.VerifyStandard(secret, id, seconds, list, body, now, tolerance); {
	case errors.Is(err, signature.ErrTimestamp):
		return faultTimestamp
	case err != nil:
		return faultSignature
	}
	return ""
}

// single returns a header's value, and whether it is there exactly once.
func single(header http.Header, name string) (value string, ok bool) {
	values := header[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// stated returns the id and the time that Standard Webhooks has in verified
// headers.
func stated(header http.Header) (id string, at time.Time) {
	seconds, err := strconv.ParseInt(header.Get(headerStandardTimestamp), 10, 64)
	if err != nil {
		return "", time.Time{}
	}
	return header.Get(headerStandardID), time.Unix(seconds, 0).UTC()
}
