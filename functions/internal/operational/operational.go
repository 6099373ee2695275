// Package operational connects the functions that raise operational notices to
// the bus of the settings. It is apart from package start so that ApiFunction
// does not link EventBridge.
package operational

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awseventbridge "github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/events/eventbridge"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Notices returns the bus, or nil if none is set.
func Notices(cfg config.Operational, clients aws.Config) webhook.Notices {
	if cfg.BusARN == "" {
		return nil
	}
	return &eventbridge.Bus{Client: awseventbridge.NewFromConfig(clients), ARN: cfg.BusARN, Stack: cfg.Stack}
}
