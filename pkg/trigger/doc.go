// Package trigger stands between AWS Lambda and the parts of the service: it
// turns the payloads of API Gateway, of DynamoDB streams, of SQS and of a
// schedule into calls of ordinary functions, and their results into answers.
//
// Every handler turns a panic into an ordinary failure, so that the environment
// lives on, and logs it. The package decides nothing about the work itself: not
// what a route does, nor which record failed, nor when something is repeated.
// It never logs a payload.
package trigger
