package telemetry

// Keys is the closed list of keys.
var Keys = keys
