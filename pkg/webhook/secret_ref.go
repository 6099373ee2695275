package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// SecretRef refers to the version of a webhook's secret document that is in force.
type SecretRef struct {
	// Name of the secret in its store. Empty: the webhook has no secrets.
	Name string
	// Version of the document. Versions are immutable.
	Version string
	// Signed says that the document holds a signing secret, so that readers of the
	// webhook need not read the document to know.
	Signed bool
	// Sealed is the document itself, encrypted, if its store keeps documents in their
	// references.
	Sealed Sealed
}

// Sealed is an encrypted secret document. It is of no use without the root key, and is
// shown as little as a secret: only the items of the webhook and of the source that it
// belongs to contain it. It prints as "[redacted]" like a Secret.
type Sealed string

// Format prints "[redacted]" for every verb of fmt, with or without flags.
func (Sealed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]". slog and encoding/json use it too.
func (Sealed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Bare returns the reference without the document.
func (r SecretRef) Bare() SecretRef {
	r.Sealed = ""
	return r
}

// StoredSecretRef is a SecretRef as JSON in a store: the only form that contains
// Sealed.
type StoredSecretRef struct {
	Name, Version string
	Signed        bool
	Sealed        string `json:",omitempty"`
}

// Stored returns the stored form of the reference.
func (r SecretRef) Stored() StoredSecretRef {
	return StoredSecretRef{Name: r.Name, Version: r.Version, Signed: r.Signed, Sealed: string(r.Sealed)}
}

// Ref returns the reference of a stored form.
func (s StoredSecretRef) Ref() SecretRef {
	return SecretRef{Name: s.Name, Version: s.Version, Signed: s.Signed, Sealed: Sealed(s.Sealed)}
}

// SecretReader reads secret documents; see Secrets.
type SecretReader interface {
	Read(ctx context.Context, ref SecretRef) (SecretDocument, error)
}

// ReadSecret reads the document that a webhook of a tenant refers to, or a source of
// the tenant if id is 0. A reference to a secret of another webhook or tenant is
// ErrSecretDamaged, and is not read: the item was changed by other means than the
// service. Other errors are those of Read.
func ReadSecret(ctx context.Context, from SecretReader, tenant Tenant, id int32, ref SecretRef) (SecretDocument, error) {
	if !ref.belongs(tenant, id) {
		return SecretDocument{}, fmt.Errorf("%w: its reference names a secret that belongs to another", ErrSecretDamaged)
	}
	return from.Read(ctx, ref)
}

// OwnSecret returns the name of the secret of a webhook, or of a source if id is 0.
// Empty: it has none, or the reference names that of another, which must be left alone.
func (r SecretRef) OwnSecret(tenant Tenant, id int32) string {
	if r.Name == "" || !r.belongs(tenant, id) {
		return ""
	}
	return r.Name
}

// belongs reports whether the name is one that Secrets.Name returns for this tenant and
// id.
func (r SecretRef) belongs(tenant Tenant, id int32) bool {
	owner, _, _ := cutLast(r.Name)
	owner, number, _ := cutLast(owner)
	_, name, ok := cutLast(owner)
	return ok && name == string(tenant) && number == strconv.Itoa(int(id))
}

// cutLast cuts a name at its last slash.
func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// SecretLost reports whether the error of a Read or of ReadSecret means that no later
// read will succeed: the secret no longer exists, or is damaged.
func SecretLost(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrSecretDamaged)
}
