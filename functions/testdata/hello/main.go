// Command hello is the smallest Go function on Lambda: what BenchmarkStart
// compares the start of ours with.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (string, error) { return "hello", nil })
}
