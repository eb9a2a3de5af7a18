package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// Overflow keeps the payloads that no message can carry. The s3 sink implements it. It is
// safe for concurrent use.
type Overflow interface {
	// Name returns the sink's name in the configuration.
	Name() string

	// Put makes body, which is e's, durable under a key of name alone, below the sink's
	// overflow folder, and returns where it is. name has letters, digits, dots, - and _. The
	// same again writes nothing. It ends with ctx. The error wraps a Condition of package
	// status, and its text may be logged.
	Put(ctx context.Context, e *sinks.Event, name string, body *payload.Body) (bucket, key string, err error)
}

// overflowName is the name of an event's payload in the overflow. It is the same when the
// same bytes come again, and another for each sink and format, whose payloads differ.
func overflowName(e *sinks.Event, sink, format string) string {
	return e.Edition() + "." + sink + "." + format
}

// Location is an object in S3, in the words of the extended client libraries.
type Location struct {
	Bucket string `json:"s3BucketName"`
	Key    string `json:"s3Key"`
}

// PointerClass begins a pointer. It is a class of the Java library, and what the others
// look for.
const PointerClass = "software.amazon.payloadoffloading.PayloadS3Pointer"

// pointer is the body of a message whose payload is at l, as
// amazon-sqs-java-extended-client-lib and its kin write it.
func (l Location) pointer() string { return `["` + PointerClass + `",` + l.text() + `]` }

// text is l as JSON.
func (l Location) text() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(l) // two strings always have an encoding, and a bytes.Buffer takes it
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// extended is the attribute that a pointer has.
func extended(size int64) attribute {
	return attribute{AttributeExtended, typeNumber, strconv.FormatInt(size, 10)}
}
