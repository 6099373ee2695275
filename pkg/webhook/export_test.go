package webhook

// For tests of package webhook_test.
const (
	MaxEventDataBytes = maxEventDataBytes
	MaxHops           = maxHops
	MaxFaults         = maxFaults
)

// Changed returns what a save that makes one webhook another is audited as.
func Changed(from, to Webhook) []string { return change{webhook: to}.changed(from) }

var ValidEventName = validEventName
