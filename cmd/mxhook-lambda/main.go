// Command mxhook-lambda is what AWS Lambda runs: the worker that delivers the events of
// an SQS queue, and the source of messages that SES has received, both on the pipeline
// that `mxhook serve` has.
//
// It listens nowhere and keeps nothing between two invocations but what lies in memory:
// no ledger, no spool. What can't be delivered is an error or a failed item of a batch,
// so that the queue, SNS or Lambda brings it again and, in the end, keeps it in a
// dead-letter queue.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	_ "time/tzdata" // for the times of invitations; Lambda's system has no zones

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log.SetOutput(io.Discard) // net/http tells it what a server said unasked
	h, err := start(context.Background(), os.LookupEnv, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mxhook-lambda:", err)
		os.Exit(1)
	}
	lambda.Start(h)
}
