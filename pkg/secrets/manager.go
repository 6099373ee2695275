package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Client is the part of *secretsmanager.Client that Manager uses.
type Client interface {
	CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

const (
	// recoveryDays is how long an operator can restore a deleted secret, the
	// minimum that the service offers. Names are never reused, so a name that
	// stays taken does no harm, while a deletion without recovery would be
	// final.
	recoveryDays = 7
)

// Manager implements webhook.Secrets on Secrets Manager. Set its fields before
// use and do not change them afterwards. Its methods may be called
// concurrently.
type Manager struct {
	Client Client
	// Prefix begins every name, so that a role's permissions can be limited to
	// it. It has no trailing slash.
	Prefix string
	// Random is the source of the random part of names and of version ids.
	Random io.Reader
}

var _ webhook.Secrets = (*Manager)(nil)

// Name implements webhook.Secrets. The random part has no hyphen: Secrets
// Manager mistakes a name that ends in a hyphen and six characters for part of
// an ARN.
func (m *Manager) Name(tenant webhook.Tenant, id int32) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(m.Random, b[:]); err != nil {
		return "", fmt.Errorf("generate a secret's name: %w", err)
	}
	return fmt.Sprintf("%s/%s/%d/%x", m.Prefix, tenant, id, b), nil
}

// Create implements webhook.Secrets. Tags attribute the secret's price to the
// deployment, as the tags of a stack do for its resources.
func (m *Manager) Create(ctx context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	token, err := m.token()
	if err != nil {
		return webhook.SecretRef{}, err
	}
	out, err := m.Client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, ClientRequestToken: &token, SecretString: aws.String(webhook.EncodeSecretDocument(doc).Reveal()),
		Tags: []types.Tag{{Key: aws.String("Application"), Value: aws.String("posthaste")}, {Key: aws.String("Prefix"), Value: &m.Prefix}},
	})
	if err != nil {
		return webhook.SecretRef{}, writeError("create secret", err)
	}
	return reference(name, out.VersionId, doc), nil
}

// Read implements webhook.Secrets. It returns webhook.ErrSecretUnavailable, not
// webhook.ErrNotFound, for a version that Secrets Manager does not find: a
// version that has not yet propagated looks the same as one that never existed,
// and webhooks refer only to the former. Only a secret that is marked for
// deletion is certainly gone.
func (m *Manager) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	out, err := m.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &ref.Name, VersionId: &ref.Version})
	if err != nil {
		return webhook.SecretDocument{}, readError("read secret version", err)
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
		return webhook.SecretRef{}, writeError("put secret version", err)
	}
	return reference(committed.Name, out.VersionId, doc), nil
}

// Delete implements webhook.Secrets. The secret becomes unreadable at once; an
// operator can restore it for seven days.
func (m *Manager) Delete(ctx context.Context, name string) error {
	_, err := m.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &name, RecoveryWindowInDays: aws.Int64(recoveryDays)})
	if err == nil {
		return nil
	}
	if err = writeError("delete secret", err); errors.Is(err, webhook.ErrNotFound) {
		return nil
	}
	return err
}

func (m *Manager) token() (string, error) { return newVersion(m.Random) }

// newVersion returns a new version id, a UUIDv4 (RFC 9562 section 5.4). The SDK
// could generate it, but then a retried call might create two versions.
func newVersion(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("generate a secret version's id: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return webhook.FormatGUID(b), nil
}

func reference(name string, version *string, doc webhook.SecretDocument) webhook.SecretRef {
	return webhook.SecretRef{Name: name, Version: aws.ToString(version), Signed: !doc.Current.IsZero()}
}
