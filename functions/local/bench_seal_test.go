package main

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/signature"
)

// benchSeal measures the opening of a sealed secret document, and next to it the two
// signatures of the POST that it is opened for.
func benchSeal(b *testing.B, t *table) {
	ring, err := seal.NewRing(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	place := seal.Place{Kind: "webhooks", Tenant: "Default", ID: 7, Version: "0123456789abcdef0123456789abcdef"}
	text := []byte(`{"current":"` + secret + `","headers":{"Authorization":"Bearer 0123456789abcdef0123"}}`)
	sealed, err := ring.Seal(text, place, seal.FirstKey, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 1000)
	const turn, at = time.Second, 1000
	measure := func(what string, do func() error) {
		r := benchTurn(turn, func() (n int) {
			for until := time.Now().Add(turn); time.Now().Before(until); n += at {
				for range at {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
			}
			return n
		})
		t.add(row{what: what, cpu: r.cpu, allocs: r.allocs})
	}
	measure("open the document: HKDF and AES-256-GCM", func() error {
		_, err := ring.Open(sealed, place)
		return err
	})
	measure("sign a body of 1,000 bytes: SuperOffice's signature", func() error {
		_ = signature.SuperOffice(secret, body)
		return nil
	})
	measure("sign a body of 1,000 bytes: Standard Webhooks' signature", func() error {
		_, err := signature.Standard("3f1c", time.Unix(1_790_000_000, 0), body, secret)
		return err
	})
}
