// Package trigger connects AWS Lambda to the service: it turns payloads of API
// Gateway, DynamoDB streams, SQS and schedules into calls of ordinary
// functions, and their results into responses.
//
// Every handler turns a panic into an ordinary failure and logs it, so that the
// environment survives. The package refuses to decide anything about the work
// itself: what a route does, which record failed, or when to retry. It never
// logs a payload.
package trigger
