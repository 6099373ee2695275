package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Secrets Manager may remove a version without labels. AWSCURRENT and
// AWSPREVIOUS mark only two versions, and concurrent or crashed rotations can
// move them off the one that a webhook refers to. So each version that a
// webhook could refer to also has its own label.
const (
	labelCurrent = "AWSCURRENT"
	labelOwn     = "posthaste-"
	// maxOwn is the most own labels. A secret may have 20 labels; the rest is
	// for the other two and for concurrent rotations.
	maxOwn = 14
)

// labelling is the retry policy for labels that another rotation changed at the
// same time.
var labelling = backoff.Policy{Tries: 4, First: 50 * time.Millisecond, Most: 500 * time.Millisecond}

func ownLabel(version string) string { return labelOwn + version }

// prepareLabels prepares a secret for a new version. Afterwards the committed
// version has its own label; AWSCURRENT is on it, even if a Put whose webhook
// write was lost had moved it; and there is capacity for another label. It
// retries if another rotation changes labels at the same time.
func (m *Manager) prepareLabels(ctx context.Context, committed webhook.SecretRef) error {
	overtaken := func(err error) bool { return errors.Is(err, errOvertaken) }
	return labelling.Retry(ctx, m.Random, overtaken, func() error {
		out, err := m.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &committed.Name})
		if err != nil {
			return writeError("read a secret's labels", err)
		}
		if out.DeletedDate != nil {
			return fmt.Errorf("read a secret's labels: marked for deletion: %w", webhook.ErrNotFound)
		}
		err = m.apply(ctx, committed.Name, moves(committed.Version, out.VersionIdsToStages))
		var changed *types.InvalidParameterException
		if errors.As(err, &changed) {
			return errOvertaken
		}
		if err != nil {
			return writeError("set a secret's labels", err)
		}
		return nil
	})
}

var errOvertaken = fmt.Errorf("set a secret's labels: too many concurrent rotations: %w", webhook.ErrUnavailable)

// move puts a label onto a version, or removes it if to is empty.
type move struct{ label, from, to string }

// moves returns the necessary changes, in an order that never leaves a needed
// version without a label.
func moves(committed string, labels map[string][]string) []move {
	var out []move
	if !slices.Contains(labels[committed], ownLabel(committed)) {
		out = append(out, move{label: ownLabel(committed), to: committed})
	}
	var spare []move
	own := 0
	for version, names := range labels {
		for _, name := range names {
			switch {
			case name == labelCurrent && version != committed:
				out = append(out, move{label: name, from: version, to: committed})
			case strings.HasPrefix(name, labelOwn):
				own++
				if len(names) == 1 && version != committed {
					spare = append(spare, move{label: name, from: version})
				}
			}
		}
	}
	return append(out, spare[:max(0, min(len(spare), own-maxOwn+1))]...)
}

func (m *Manager) apply(ctx context.Context, secret string, moves []move) error {
	for _, move := range moves {
		in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &secret, VersionStage: aws.String(move.label)}
		if move.from != "" {
			in.RemoveFromVersionId = aws.String(move.from)
		}
		if move.to != "" {
			in.MoveToVersionId = aws.String(move.to)
		}
		if _, err := m.Client.UpdateSecretVersionStage(ctx, in); err != nil {
			return err
		}
	}
	return nil
}
