package secrets

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Client is what a Manager needs of a *secretsmanager.Client.
type Client interface {
	CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

const (
	// recoveryDays is how long a deleted secret can be restored by hand, the
	// least that the service offers. Names are never used twice, so a name
	// that stays taken meanwhile is in nobody's way, while a deletion without
	// recovery could not be taken back by anyone.
	recoveryDays = 7
)

// Manager is webhook.Secrets on Secrets Manager. Its fields must be set before
// use and not changed after; its methods may be called concurrently.
type Manager struct {
	Client Client
	// Prefix begins every name, so that a role can be confined to it. It has
	// no slash at its end.
	Prefix string
	// Random gives the random part of names and the ids of versions.
	Random io.Reader
}

var _ webhook.Secrets = (*Manager)(nil)

// Name implements webhook.Secrets. The random part has no hyphen: Secrets
// Manager takes a name that ends in a hyphen and six characters for a piece of
// an ARN.
func (m *Manager) Name(tenant webhook.Tenant, id int32) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(m.Random, b[:]); err != nil {
		return "", fmt.Errorf("draw a secret's name: %w", err)
	}
	return fmt.Sprintf("%s/%s/%d/%x", m.Prefix, tenant, id, b), nil
}

// Create implements webhook.Secrets.
func (m *Manager) Create(ctx context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	token, err := m.token()
	if err != nil {
		return webhook.SecretRef{}, err
	}
	out, err := m.Client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, ClientRequestToken: &token, SecretString: aws.String(webhook.EncodeSecretDocument(doc).Reveal()),
	})
	if err != nil {
		return webhook.SecretRef{}, writeFault("create secret", err)
	}
	return reference(name, out.VersionId, doc), nil
}

// Read implements webhook.Secrets. A version that Secrets Manager does not find
// is webhook.ErrSecretUnavailable, not webhook.ErrNotFound: from outside, a
// version that is not readable from here yet looks just like one that never
// was, and only the first is named by a webhook. What is certainly gone is a
// secret that is marked for deletion.
func (m *Manager) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	out, err := m.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &ref.Name, VersionId: &ref.Version})
	if err != nil {
		return webhook.SecretDocument{}, readFault("read secret version", err)
	}
	return webhook.DecodeSecretDocument(webhook.NewSecret(aws.ToString(out.SecretString)))
}

// Put implements webhook.Secrets.
func (m *Manager) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	token, err := m.token()
	if err != nil {
		return webhook.SecretRef{}, err
	}
	if err := m.prepareLabels(ctx, committed); err != nil {
		return webhook.SecretRef{}, err
	}
	out, err := m.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &committed.Name, ClientRequestToken: &token, SecretString: aws.String(webhook.EncodeSecretDocument(doc).Reveal()),
		VersionStages: []string{labelCurrent, ownLabel(token)},
	})
	if err != nil {
		return webhook.SecretRef{}, writeFault("put secret version", err)
	}
	return reference(committed.Name, out.VersionId, doc), nil
}

// Delete implements webhook.Secrets. The secret is unreadable at once and can
// be restored by an operator for seven days.
func (m *Manager) Delete(ctx context.Context, name string) error {
	_, err := m.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &name, RecoveryWindowInDays: aws.Int64(recoveryDays)})
	if err == nil {
		return nil
	}
	if err = writeFault("delete secret", err); errors.Is(err, webhook.ErrNotFound) {
		return nil
	}
	return err
}

// token draws a version's id, a UUIDv4 (RFC 9562 section 5.4). It is drawn here
// and not by the SDK so that a call that the SDK repeats makes one version.
func (m *Manager) token() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(m.Random, b[:]); err != nil {
		return "", fmt.Errorf("draw a secret version's id: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"), nil
}

func reference(name string, version *string, doc webhook.SecretDocument) webhook.SecretRef {
	return webhook.SecretRef{Name: name, Version: aws.ToString(version), Signed: !doc.Current.IsZero()}
}
