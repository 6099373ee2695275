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

// Secrets Manager may remove a version that carries no label. AWSCURRENT and
// AWSPREVIOUS stand on two versions alone, and rotations that race or crash can
// push them off the one that a webhook names. So every version that could be
// named carries a label of its own as well.
const (
	labelCurrent = "AWSCURRENT"
	labelOwn     = "posthaste-"
	// maxOwn labels leave room for the other two among the 20 that a secret may
	// have, and for a rotation or two at the same time.
	maxOwn = 14
)

// labelling is how often the labels are looked at again that another rotation
// changed meanwhile.
var labelling = backoff.Policy{Tries: 4, First: 50 * time.Millisecond, Most: 500 * time.Millisecond}

func ownLabel(version string) string { return labelOwn + version }

// prepareLabels makes a secret ready for a new version: the committed version
// has a label of its own; AWSCURRENT is back on it, if a Put whose webhook write
// was lost left that elsewhere; and there is room for a label. Where another
// rotation changes the labels at the same moment it looks again.
func (m *Manager) prepareLabels(ctx context.Context, committed webhook.SecretRef) error {
	overtaken := func(err error) bool { return errors.Is(err, errOvertaken) }
	return labelling.Retry(ctx, m.Random, overtaken, func() error {
		out, err := m.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &committed.Name})
		if err != nil {
			return writeFault("look at a secret's labels", err)
		}
		if out.DeletedDate != nil {
			return fmt.Errorf("look at a secret's labels: marked for deletion: %w", webhook.ErrNotFound)
		}
		err = m.apply(ctx, committed.Name, moves(committed.Version, out.VersionIdsToStages))
		var changed *types.InvalidParameterException
		if errors.As(err, &changed) {
			return errOvertaken
		}
		if err != nil {
			return writeFault("set a secret's labels", err)
		}
		return nil
	})
}

var errOvertaken = fmt.Errorf("set a secret's labels: other rotations were faster: %w", webhook.ErrUnavailable)

// move puts a label onto a version, or takes it away where to is empty.
type move struct{ label, from, to string }

// moves gives what has to be done, in the order in which no version that counts
// is without a label at any time.
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
